"""The process that all children of the test are made from.

Forking a large pytest process is slow, inherits everything, and warns from Python 3.12 on when a
thread runs. So one small interpreter per pytest process makes each child with ``CLONE_PARENT``:
pytest is the parent and can wait for it. A plain child is ordered ahead of its use, while the
test before still runs, which takes the cost of the fork off the path.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any, NamedTuple

from helpers import agent
from helpers.deadline import Deadline, DeadlineExpired
from helpers.uapi import CloneFlag
from helpers.wire import Channel, Hangup

_AHEAD = 2  # one for the next test, and one that is made while that test takes the first


class ZygoteDied(AssertionError):
    """The zygote is gone; what it said at its end is in the text."""


class Newborn(NamedTuple):
    """A child that takes orders: its pid, and our end of the channel to its only thread."""

    pid: int
    channel: Channel


class Zygote:
    """Starts the process, orders children from it, and keeps what they print."""

    def __init__(self) -> None:
        """Start it; the call returns before it is ready."""
        import subprocess  # large both, and of no use to children that import this module
        import tempfile

        self.errors = tempfile.TemporaryFile(prefix="pidfd-children-")
        self._reported = 0
        self.is_lost = False
        ours, theirs = Channel.pair("zygote")
        self._process = subprocess.Popen(
            agent.interpreter("start", theirs.fileno(), Deadline().length),
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self.errors,
            start_new_session=True,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "LC_ALL": "C.UTF-8",
                "MALLOC_ARENA_MAX": "1",
                # Without it some interpreters do not find their own library.
                **{key: os.environ[key] for key in ("LD_LIBRARY_PATH",) if key in os.environ},
            },
        )
        theirs.close()
        self._channel = ours.keep()
        self._ahead: list[Newborn] = []
        self.order_ahead()

    def order_ahead(self) -> None:
        """Order the plain children that the next tests are likely to want, and do not wait.

        Called between tests: what a test sees of our children then holds still while it runs.
        """
        while len(self._ahead) < _AHEAD:
            self._ahead.append(self._order(CloneFlag.NONE))

    def strangers(self, children: set[int]) -> set[int]:
        """Those of our `children` that are not of its making ahead, nor itself."""
        others = children - {self._process.pid} - {newborn.pid for newborn in self._ahead}
        if others:  # some may be those on order, which is worth the wait for the answer
            self._settle()
            others -= {newborn.pid for newborn in self._ahead}
        return others

    @property
    def descriptors(self) -> set[int]:
        """Our descriptors that outlive a test."""
        known = {self._channel.fileno(), self.errors.fileno()}
        return known | {newborn.channel.fileno() for newborn in self._ahead}

    def child(self, flags: CloneFlag = CloneFlag.NONE) -> Newborn:
        """A child of the calling process in the namespaces that `flags` ask for.

        Raises ``OSError`` when the kernel refuses to make it.
        """
        if flags or not self._ahead:
            self._settle()
            return self._collect(self._order(flags))
        newborn = self._collect(self._ahead.pop(0))
        newborn.channel.release()
        return newborn

    def call(self, function: Callable[..., object], *args: object) -> Any:
        """Let the zygote itself do something: what must be undone even if pytest is killed."""
        self._settle()
        try:
            self._channel.send((function, args))
        except Hangup as error:
            raise self._died() from error
        return self._receive(Deadline(), f"the zygote to {function.__name__}")

    def new_errors(self) -> str:
        """What children printed since this was asked last: errors in their own code."""
        # Not by seek and read: who prints there shares our offset.
        said = os.pread(self.errors.fileno(), 1 << 20, self._reported)
        self._reported += len(said)
        return said.decode(errors="replace")

    def drop_ahead(self) -> None:
        """End the children made ahead: once the zygote is changed, they are not like it."""
        try:
            if not self.is_lost:  # else whose answer is whose is not known
                self._settle()
        finally:
            ended, self._ahead = self._ahead, []
            for newborn in ended:
                _end(newborn)

    def stop(self) -> None:
        """End the zygote and the waiting children, and reap all."""
        try:
            self.drop_ahead()
        except (ZygoteDied, OSError):
            pass
        self._channel.close()
        self._process.wait()
        self.errors.close()

    def _order(self, flags: CloneFlag) -> Newborn:
        """Order a child and do not wait for it; its pid is 0 until the answer is collected."""
        ours, theirs = Channel.pair("child")
        ours.ask_for_sender()
        try:
            self._channel.send((agent.fork, (theirs, flags | CloneFlag.PARENT, 0)))
            # Its first order: who answers has asked to die with us, and may be stopped by a test.
            ours.send((os.getpid, ()))
        except Hangup as error:
            raise self._died() from error
        finally:
            theirs.close()
        return Newborn(0, ours.keep())

    def _receive(self, deadline: Deadline, what: str) -> Any:
        """The next result; one that comes too late would be taken for that of a later order."""
        try:
            answer = self._channel.receive_within(deadline, what)
        except Hangup as error:
            raise self._died() from error
        except BaseException:  # the deadline, or what pytest-timeout and Ctrl-C raise
            self.is_lost = True
            self._process.kill()
            raise
        if answer.error is not None:
            raise answer.error
        if answer.trace:
            raise ZygoteDied(answer.trace)
        return answer.value

    def _collect(self, ordered: Newborn) -> Newborn:
        """Wait for the answer, if it was not taken in, in the order of the orders."""
        if ordered.pid:
            return ordered
        deadline, pid = Deadline(), 0
        try:
            pid = self._receive(deadline, "the zygote to make a child")
            ordered.channel.receive_within(deadline, "a new child to run")
        except BaseException as error:  # also what pytest-timeout and Ctrl-C raise
            _end(Newborn(pid, ordered.channel))
            if pid and isinstance(error, Hangup):
                raise ZygoteDied(f"a new child ended at once:\n{self.new_errors()}") from error
            raise
        return Newborn(pid, ordered.channel)

    def _settle(self) -> None:
        """Take the answers to earlier orders in, before another is given."""
        ordered, self._ahead = self._ahead, []
        try:
            while ordered:
                self._ahead.append(self._collect(ordered.pop(0)))
        finally:
            self._ahead += ordered

    def _died(self) -> ZygoteDied:
        self.is_lost = True
        return ZygoteDied(f"the zygote ended ({self._process.wait()}):\n{self.new_errors()}")


def _end(newborn: Newborn) -> None:
    """End a child that is given to nobody, and reap it."""
    pid, channel = newborn
    if not pid:  # The zygote is gone, or has made none: the child answers, or the channel hangs up.
        try:
            channel.receive_within(Deadline(), "a new child to run")
            pid = channel.sender_pid
        except (Hangup, DeadlineExpired):
            pass
    channel.close()
    if pid:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
