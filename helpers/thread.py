"""One thread of a child, which takes orders, and the orders on their way to it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from helpers import agent, journal, procfs, syscalls
from helpers.deadline import Deadline, DeadlineExpired, wait_until
from helpers.descriptor import Descriptor
from helpers.pidfd import Pidfd
from helpers.uapi import CloneFlag, PidfdFlag
from helpers.wire import Channel, Hangup
from helpers.words import argument, call_name, errno_name

if TYPE_CHECKING:
    from helpers.process import ThreadGroup

Result = TypeVar("Result")


class ChildFailed(AssertionError):
    """A child could not carry an order out, for a reason that is not the kernel's answer."""


class Order:
    """An order on its way; several threads can be at work at once."""

    def __init__(self, thread: Thread, what: str) -> None:
        """Belong to `thread`; `what` is the order in words."""
        self._thread, self._what = thread, what

    def done(self) -> bool:
        """Whether the answer, or the end of the thread group, is there to be taken."""
        return self._thread.channel.has_input()

    def result(self) -> Any:
        """Wait for the answer; an ``OSError`` of the child is raised here."""
        thread, what = self._thread, self._what
        try:
            answer = thread.channel.receive_within(Deadline(), f"{thread} to {what}")
        except Hangup:
            journal.record(thread, f"{what}: no answer")
            raise thread.group.died(f"{thread} was to {what}") from None
        except DeadlineExpired:
            journal.record(thread, f"{what}: no answer yet")
            raise
        return self._taken(answer)

    def check(self) -> None:
        """Raise what the child has failed with by now, of an order that is not to come back."""
        if self.done():
            with suppress(Hangup):
                self._taken(self._thread.channel.receive())

    def _taken(self, answer: agent.Answer) -> Any:
        thread, what = self._thread, self._what
        if answer.error is not None:
            journal.record(thread, f"{what} = {errno_name(answer.error.errno)}", answer.at)
            if answer.error.filename is None:  # it ends the text of the error
                answer.error.filename = f"{thread}: {what}"
            raise answer.error
        if answer.trace:
            raise ChildFailed(f"{thread} could not {what}:\n{answer.trace}")
        journal.record(
            thread, what if answer.value is None else f"{what} = {answer.value!r}", answer.at
        )
        return answer.value


def unless_refused(order: Order | None, ended: Callable[[], bool]) -> Callable[[], bool]:
    """The question whether a task has `ended`; raises what the order to end it fails with."""

    def asked() -> bool:
        if order is not None:
            order.check()
        return ended()

    return asked


class Thread:
    """One thread of a child, by its id in our pid namespace."""

    def __init__(self, group: ThreadGroup, tid: int, channel: Channel, role: str) -> None:
        """Take orders for thread `tid` of `group` over `channel`."""
        self.group, self.tid, self.channel, self.role = group, tid, channel, role

    def begin(self, function: Callable[..., object], *args: object) -> Order:
        """Order a call and do not wait; the function must be one of helpers/ or the library."""
        told = (argument(arg) for arg in args if not isinstance(arg, Channel))
        what = f"{call_name(function)}({', '.join(told)})"
        try:
            self.channel.send((function, args))
        except Hangup:
            raise self.group.died(f"{self} was to {what}") from None
        return Order(self, what)

    def call(self, function: Callable[..., Result], *args: object) -> Result:
        """Let the thread call `function` and give its result, or raise its ``OSError``."""
        result: Result = self.begin(function, *args).result()
        return result

    def spawn_thread(self, role: str = "subthread") -> Thread:
        """Let this thread make another one in its group."""
        return self.group.adopt_thread(self, role)

    def fork(
        self,
        flags: CloneFlag = CloneFlag.NONE,
        exit_signal: int = signal.SIGCHLD,
        role: str = "grandchild",
    ) -> ThreadGroup:
        """Let this thread make a child process, which it must reap by itself."""
        return self.group.adopt_child(self, flags, exit_signal, role)

    def exec(self, *program: Descriptor) -> None:
        """Execute a small program; returns when it runs. Raises ``OSError`` if refused.

        The program tells that it runs and then sleeps; `ThreadGroup.assert_runs` asks it again.
        Another one in its place, given as `program`, must echo its input as well.
        """
        self._exec(agent.exec_echo, *program)
        self.group.assert_runs()
        journal.record(self.group, "the new image runs")

    def exec_agent(self) -> None:
        """Execute a program that takes orders again, as the leader of its group."""
        beacon = self._exec(agent.exec_agent)
        self.group.leader = Thread(self.group, self.group.pid, beacon, "leader")
        self.group.leader.call(os.getpid)
        journal.record(self.group, "the new image takes orders")

    def _exec(self, entry: Callable[..., object], *program: Descriptor) -> Channel:
        beacon, theirs = Channel.pair("new image")
        order = self.begin(entry, theirs, *program)
        theirs.close()
        # All channels close on exec: a hangup says that there is no way back, an answer that
        # the exec failed.
        self.channel.await_input(Deadline(), f"the exec in {self} to pass or to fail")
        if not self.channel.at_hangup():
            order.result()
            raise ChildFailed(f"{self} came back from an exec without an error")
        journal.record(self, "exec passed the point of no return")
        self.group.beacon = beacon
        return beacon

    def exit(self, status: int = 0) -> None:
        """End this thread alone; returns when it is a zombie, or gone."""
        order = self.begin(syscalls.exit_thread, status)
        journal.record(self, f"exit({status})")
        self.await_end(order)

    def exit_group(self, status: int = 0) -> None:
        """End the whole group by ``exit_group(2)``; returns when it is a zombie, or gone."""
        order = self.begin(os._exit, status)
        journal.record(self, f"exit_group({status})")
        self.group.await_end(order)

    def await_end(self, by: Order | None = None) -> None:
        """Wait until the thread is a zombie, or gone; the kernel gives no event for that.

        It ends `by` an order of which an error is raised.
        """
        pid, tid = self.group.pid, self.tid
        wait_until(
            unless_refused(by, self._has_ended),
            f"the end of {self!r}",
            state=lambda: procfs.told_state(pid, tid),
        )
        state = procfs.task_state(pid, tid)
        journal.record(self, "is a zombie" if state == "Z" else "is gone")

    def _has_ended(self) -> bool:
        """Whether it is gone, or stays a zombie.

        A subthread that nobody traces shows as Z, and then as X, while it is being released, and
        its number still leads to it.
        """
        pid, tid = self.group.pid, self.tid
        state = procfs.task_state(pid, tid)
        if state == "Z":
            return tid == pid or procfs.is_traced(pid, tid)
        return state is None

    def pidfd(self, flags: PidfdFlag = PidfdFlag.NONE) -> Pidfd:
        """A pidfd for this thread, or with the leader for the whole process, as `flags` say."""
        scope = "thread" if PidfdFlag.THREAD in flags else "process"
        return Pidfd.open(self.tid, flags, f"{self.role}'s {scope}")

    def __str__(self) -> str:
        return self.role

    def __repr__(self) -> str:
        return f"<Thread {self.role}, tid {self.tid} of {self.group.pid}>"
