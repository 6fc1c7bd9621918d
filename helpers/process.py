"""Children under remote control: thread groups whose threads take orders.

Each order is acknowledged, or its end is seen by an event that the kernel itself gives. What a
test made is ended and reaped by `end_all`, in every way in which a test can end.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any, TypeVar

from helpers import agent, journal, procfs, syscalls
from helpers.deadline import Deadline, wait_until
from helpers.descriptor import Descriptor
from helpers.info import Outcome, decode_waitid, signal_name
from helpers.pidfd import Pidfd
from helpers.uapi import P_PID, WALL, CloneFlag, PidfdFlag
from helpers.wire import Channel, Hangup
from helpers.zygote import Zygote

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
        except Hangup as error:
            raise thread.group.died(f"{thread} was to {what}") from error
        if answer.error is not None:
            journal.record(thread, f"{what}: {answer.error}", answer.at)
            raise answer.error
        if answer.trace:
            raise ChildFailed(f"{thread} could not {what}:\n{answer.trace}")
        journal.record(thread, f"{what} = {answer.value!r}", answer.at)
        return answer.value


class Thread:
    """One thread of a child, by its id in our pid namespace."""

    def __init__(self, group: ThreadGroup, tid: int, channel: Channel, role: str) -> None:
        """Take orders for thread `tid` of `group` over `channel`."""
        self.group, self.tid, self.channel, self.role = group, tid, channel, role

    def begin(self, function: Callable[..., object], *args: object) -> Order:
        """Order a call and do not wait; the function must be one of helpers/ or the library."""
        what = f"{function.__name__}({', '.join(map(repr, args))})"
        try:
            self.channel.send((function, args))
        except Hangup as error:
            raise self.group.died(f"{self} was to {what}") from error
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
        ours, theirs = Channel.pair(role)
        ours.ask_for_sender()
        try:
            self.call(agent.fork, theirs, flags, exit_signal)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        # Its pid as our own pid namespace has it comes from the kernel, with the first answer.
        group = ThreadGroup(0, ours, role, parent=self.group)
        inner = group.leader.call(os.getpid)
        group.pid = group.leader.tid = ours.sender_pid
        group.namespaced = inner != group.pid
        journal.record(self, f"forked {group!r}")
        return group

    def exec(self, *program: Descriptor) -> None:
        """Execute a small program; returns when it runs. Raises ``OSError`` if refused.

        The program tells that it runs and then sleeps; `ThreadGroup.is_running` asks it again.
        Another one in its place, given as `program`, must echo its input as well.
        """
        self._exec(agent.exec_echo, *program)
        self.group.is_running()
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
        self.begin(syscalls.exit_thread, status)
        self.await_end()

    def exit_group(self, status: int = 0) -> None:
        """End the whole group by ``exit_group(2)``; returns when it is a zombie, or gone."""
        self.begin(os._exit, status)
        self.group.await_end()

    def await_end(self) -> None:
        """Wait until the thread is a zombie, or gone; the kernel gives no event for that."""
        pid, tid = self.group.pid, self.tid
        wait_until(
            lambda: procfs.task_state(pid, tid) in (None, "Z", "X"),
            f"the end of {self!r}",
            state=lambda: f"state {procfs.task_state(pid, tid)}",
        )
        state = procfs.task_state(pid, tid)
        journal.record(self, "is a zombie" if state == "Z" else "is gone")

    def pidfd(self, flags: PidfdFlag = PidfdFlag.NONE) -> Pidfd:
        """A pidfd for this thread, or with the leader for the whole process, as `flags` say."""
        scope = "thread" if PidfdFlag.THREAD in flags else "process"
        return Pidfd.open(self.tid, flags, f"{self.role}'s {scope}")

    def __str__(self) -> str:
        return self.role

    def __repr__(self) -> str:
        return f"<Thread {self.role}, tid {self.tid} of {self.group.pid}>"


class ThreadGroup:
    """A child process. It begins with its leader alone."""

    def __init__(
        self, pid: int, channel: Channel, role: str, parent: ThreadGroup | None = None
    ) -> None:
        """Take over the process `pid` that serves `channel`; `parent` None: it is our child."""
        self.pid, self.role, self.parent = pid, role, parent
        self.leader = Thread(self, pid, channel, "leader" if role == "child" else role)
        self.threads = [self.leader]
        self.beacon: Channel | None = None
        self.reaped = False
        self.namespaced = False  # in a pid namespace below ours: it knows itself by other numbers
        _groups.append(self)

    def spawn_thread(self, role: str | None = None) -> Thread:
        """Let the leader make a subthread."""
        return self.adopt_thread(self.leader, role or f"subthread {len(self.threads)}")

    def adopt_thread(self, maker: Thread, role: str) -> Thread:
        """Let `maker` make a thread and learn its id in our pid namespace."""
        ours, theirs = Channel.pair(role)
        maker.call(agent.spawn_thread, theirs)
        theirs.close()
        inner = ours.receive_within(Deadline(), f"{role} of {self!r} to say that it runs")
        tid = procfs.inner_tids(self.pid)[inner] if self.namespaced else inner
        thread = Thread(self, tid, ours, role)
        self.threads.append(thread)
        journal.record(thread, f"runs as tid {tid}")
        return thread

    def race_to_exec(self, *threads: Thread) -> None:
        """Let `threads` execute the small program all at once; returns when it runs for one."""
        self.beacon, theirs = Channel.pair("new image")
        gate, start = Channel.pair("starting gate")
        for thread in threads:
            thread.begin(agent.exec_echo_at_gate, theirs, start)
        theirs.close()
        start.close()
        for _ in threads:
            gate.receive_within(Deadline(), f"the threads of {self!r} to stand at the gate")
        gate.close()
        self.is_running()
        journal.record(self, f"the image runs that {len(threads)} threads raced to execute")

    def is_running(self) -> None:
        """Let the small program of `Thread.exec` answer; raises `ChildFailed` if it cannot."""
        assert self.beacon is not None, "nothing was executed"
        try:
            self.beacon.send_raw(b"?")
            alive = self.beacon.receive_raw(Deadline(), f"the new image of {self!r}")
        except OSError:
            alive = b""
        if not alive:
            raise self.died("the new image was to run")

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Signal the group by pid, which cannot be another's before it is reaped."""
        journal.record("test", f"kill({self.role}, {signal_name(number)})")
        os.kill(self.pid, number)

    def await_end(self) -> None:
        """Wait until the whole group has ended: nothing is left of it but a zombie leader."""
        wait_until(self._has_ended, f"the end of {self!r}", state=self._state)
        journal.record(self, "has ended")

    def _has_ended(self) -> bool:
        if self.parent is None:
            options = os.WEXITED | os.WNOHANG | os.WNOWAIT | WALL
            try:
                return os.waitid(P_PID, self.pid, options) is not None
            except ChildProcessError:
                return True
        state = procfs.task_state(self.pid)
        try:
            return state in (None, "X") or (
                state == "Z" and len(os.listdir(f"/proc/{self.pid}/task")) == 1
            )
        except FileNotFoundError:  # reaped between the two looks
            return True

    def _state(self) -> str:
        return f"state {procfs.task_state(self.pid)}"

    def reap(self) -> Outcome:
        """Wait for the end and reap, as the parent: by ``waitid(P_PID)``."""
        self.await_end()
        if self.parent is None:
            result = os.waitid(P_PID, self.pid, os.WEXITED | os.WNOHANG | WALL)
        else:
            result = self.parent.leader.call(os.waitid, P_PID, self.pid, os.WEXITED | WALL)
        assert result is not None
        self.reaped = True
        outcome = decode_waitid(result)
        journal.record("test" if self.parent is None else self.parent, f"reaped: {outcome}")
        return outcome

    def pidfd(self, flags: PidfdFlag = PidfdFlag.NONE) -> Pidfd:
        """A pidfd of the leader; without flags it is of the process."""
        return self.leader.pidfd(flags)

    def died(self, while_: str) -> ChildFailed:
        """Say that the group ended unexpectedly, and what its code printed."""
        wait_until(self._has_ended, f"the end of {self!r}", state=self._state, seconds=1)
        said = zygote().new_errors()
        return ChildFailed(
            f"{self!r} ended while {while_}" + (f"; it said:\n{said}" if said else "")
        )

    def __str__(self) -> str:
        return self.role

    def __repr__(self) -> str:
        return f"<ThreadGroup {self.role}, pid {self.pid}>"


_groups: list[ThreadGroup] = []
_zygote: Zygote | None = None


def zygote() -> Zygote:
    """The zygote of this pytest process, started when first asked for, and anew when it is lost."""
    global _zygote
    if _zygote is not None and _zygote.is_lost:
        stop_zygote()
    if _zygote is None:
        _zygote = Zygote()
    return _zygote


def stop_zygote() -> None:
    """End it at the end of the session."""
    global _zygote
    if _zygote is not None:
        _zygote.stop()
        _zygote = None


def spawn(flags: CloneFlag = CloneFlag.NONE, role: str = "child") -> ThreadGroup:
    """A child process of ours, in the new namespaces that `flags` ask for.

    Raises ``OSError`` when the kernel, or a sandbox, refuses them.
    """
    newborn = zygote().child(flags)
    group = ThreadGroup(newborn.pid, newborn.channel, role)
    group.namespaced = bool(flags & CloneFlag.NEWPID)
    journal.record("test", f"spawned {group!r}" + (f" with {flags}" if flags else ""))
    return group


def end_all() -> None:
    """Kill and reap whatever the test made and did not reap itself."""
    groups, _groups[:] = _groups[:], []
    for group in groups:
        if group.parent is None and not group.reaped:
            _end(group)
    # The kernel kills the others with their parents, and they end when their channels do.
    for group in groups:
        for thread in group.threads:
            thread.channel.close()
        if group.beacon is not None:
            group.beacon.close()


def reap_orphans() -> None:
    """As the first process of a container: reap what lost its parent and fell to us."""
    for pid in zygote().strangers(procfs.children()):
        try:
            os.waitid(P_PID, pid, os.WEXITED | os.WNOHANG | WALL)
        except ChildProcessError:  # reaped by now
            pass


def _end(group: ThreadGroup) -> None:
    try:
        os.kill(group.pid, signal.SIGKILL)
        os.kill(group.pid, signal.SIGCONT)
    except ProcessLookupError:  # reaped by the test in its own way
        pass
    wait_until(lambda: _is_reaped(group.pid), f"the end of {group!r}", state=group._state)
    group.reaped = True


def _is_reaped(pid: int) -> bool:
    try:
        return os.waitid(P_PID, pid, os.WEXITED | os.WNOHANG | WALL) is not None
    except ChildProcessError:
        return pid not in procfs.children()
