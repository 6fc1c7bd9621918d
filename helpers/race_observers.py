"""Observers of races: each makes one call again and again, and decodes what it was told."""

from __future__ import annotations

import os
import signal
import struct
import time
from collections.abc import Callable
from typing import NamedTuple, Optional

from helpers import attempts, syscalls
from helpers.attempts import Attempts
from helpers.deadline import Deadline
from helpers.info import Outcome, decode_wait_status
from helpers.race_board import Subject
from helpers.race_driver import Family, Observer
from helpers.uapi import InfoMask, PidfdFlag, PollEvent
from helpers.words import errno_name

_INFO = struct.Struct("=QQ12I")
_EVENTS = struct.Struct("=I")
_POLLFD = struct.Struct("=iHH")


class Told(NamedTuple):
    """One answer of ``PIDFD_GET_INFO``; `wrong` lists numbers that are not the task's."""

    identity: bool = False
    exit: Optional[Outcome] = None  # noqa: UP045  # Python 3.9 evaluates it
    wrong: tuple[str, ...] = ()

    def __repr__(self) -> str:
        parts = ["identity"] * self.identity + ([f"{self.exit!r}"] if self.exit else [])
        return "+".join(parts or ["nothing"]) + "".join(
            f" with another's {name}" for name in self.wrong
        )


class Refusal(NamedTuple):
    """A call that failed."""

    errno: int

    def __repr__(self) -> str:
        return errno_name(self.errno)


class GetInfo(Observer):
    """Asks ``PIDFD_GET_INFO`` for exit information."""

    name = "PIDFD_GET_INFO"

    def __init__(self, family: Family, *, of_thread: bool = False) -> None:
        """Know what is right of a child of the driver, or with `of_thread` of a thread of it."""
        super().__init__(family)
        self._of_thread = of_thread
        self._due = (0, 0, 0)

    def prepare(self) -> Attempts:
        """Answers of full length."""
        return attempts.get_info(InfoMask.EXIT)

    def begin(self, subject: Subject) -> None:
        """Know the numbers of the task as well."""
        super().begin(subject)
        pid, driver = subject.pid, self.family.driver
        self._due = (pid, driver, self.family.parent) if self._of_thread else (pid, pid, driver)

    def decode(self, result: int, answer: bytes) -> object:
        """A `Told` or a `Refusal`."""
        if result < 0:
            return Refusal(-result)
        mask, _, pid, tgid, ppid, *_, exit_code = _INFO.unpack_from(answer)
        identity = bool(mask & InfoMask.PID)
        outcome = decode_wait_status(exit_code) if mask & InfoMask.EXIT else None
        found = (pid, tgid, ppid)
        if not identity or found == self._due:
            return Told(identity, outcome)
        pairs = zip(("pid", "tgid", "ppid"), found, self._due)
        told = Told(identity, outcome, tuple(name for name, value, due in pairs if value != due))
        self.examples.setdefault(repr(told), f"pid, tgid, ppid {found} where {self._due} is due")
        return told


class Poll(Observer):
    """Polls without waiting."""

    name = "poll"

    def prepare(self) -> Attempts:
        """For IN; HUP comes unasked."""
        return attempts.poll(PollEvent.IN)

    def decode(self, result: int, answer: bytes) -> object:
        """The events."""
        if result < 0:
            return Refusal(-result)
        return PollEvent(_POLLFD.unpack(answer)[2])


class Epoll(Observer):
    """Polls by epoll without waiting."""

    name = "epoll"

    def prepare(self) -> Attempts:
        """For IN; HUP comes unasked."""
        return attempts.epoll(PollEvent.IN)

    def decode(self, result: int, answer: bytes) -> object:
        """The events."""
        if result < 0:
            return Refusal(-result)
        return PollEvent(_EVENTS.unpack_from(answer)[0] if result else 0)


class Hangup(NamedTuple):
    """HUP, and what was told of the end right after it."""

    then: object

    def __repr__(self) -> str:
        return f"HUP, then {self.then!r}"


class HangupInfo(GetInfo):
    """Polls without waiting, and asks for exit information at the moment of the hangup."""

    name = "poll, PIDFD_GET_INFO"

    def prepare(self) -> Attempts:
        """Answers of full length."""
        return attempts.hangup_info()

    def decode(self, result: int, answer: bytes) -> object:
        """The events, or a `Hangup`."""
        if result < 0:
            return Refusal(-result)
        if not result & attempts.HANGUP:
            return PollEvent(result)
        error = result // (2 * attempts.HANGUP)
        return Hangup(super().decode(-error, answer))


class Word(str):
    """What was seen, in words."""

    def __repr__(self) -> str:
        return str(self)


ITS_FILE, ANOTHER_FILE = Word("its file"), Word("another file")
THE_TASK, ANOTHER_TASK = Word("the task"), Word("another task")
SENT = Word("sent")
SLEPT_ON = Word("slept on")


class GetFd(Observer):
    """Takes a copy of a file that the task has open."""

    name = "pidfd_getfd"

    def prepare(self) -> Attempts:
        """Of the file that all have."""
        self._due = os.fstat(self.family.file).st_ino
        return attempts.pidfd_getfd(self.family.file)

    def decode(self, result: int, answer: bytes) -> object:
        """Whether it is that file; the copy is closed."""
        if result < 0:
            return Refusal(-result)
        return ITS_FILE if take_inode(result) == self._due else ANOTHER_FILE


class Open(Observer):
    """Opens the task by its number."""

    name = "pidfd_open"

    def prepare(self) -> Attempts:
        """Of a process."""
        return attempts.pidfd_open(PidfdFlag.NONE)

    def begin(self, subject: Subject) -> None:
        """Know the task by its inode, which no other has (v6.9)."""
        self.attempts.turn_to(subject.pid)
        self._due = os.fstat(subject.fd).st_ino

    def decode(self, result: int, answer: bytes) -> object:
        """Whether it is that task; the pidfd is closed."""
        if result < 0:
            return Refusal(-result)
        return THE_TASK if take_inode(result) == self._due else ANOTHER_TASK


class SendSignal(Observer):
    """Sends a deadly signal."""

    name = "pidfd_send_signal"

    def prepare(self) -> Attempts:
        """Another one than the driver uses."""
        return attempts.pidfd_send_signal(signal.SIGTERM)

    def decode(self, result: int, answer: bytes) -> object:
        """Whether it was sent."""
        return Refusal(-result) if result < 0 else SENT


class Sleeper(Observer):
    """Sleeps in one poll a round, and must be woken."""

    name = "sleeper"

    def __init__(self, family: Family, asked: PollEvent = PollEvent.IN) -> None:
        """Sleep until IN, or for none `asked` until the hangup."""
        super().__init__(family)
        self._asked = asked

    def prepare(self) -> Attempts:
        """None but the sleep."""
        return Attempts("nothing", int, lambda subject, _: (subject,), length=1)

    def watch(
        self, subject: Subject, begun: Callable[[], object], caused: memoryview
    ) -> tuple[object, ...]:
        """Fall asleep at any moment of the round.

        A poll asks once more when its time is up, which would hide a lost wake-up. Its time says
        that it was lost, unless the cause was not through by then: a busy machine may hold it up.
        """
        seconds = Deadline().length / 2
        begun()
        while True:
            start = time.monotonic()
            events = syscalls.poll({subject.fd: int(self._asked)}, int(seconds * 1000))[subject.fd]
            self.made += 1
            if time.monotonic() - start < seconds:
                return (PollEvent(events),)
            if caused[0] >= subject.round:
                return SLEPT_ON, PollEvent(events)


def take_inode(fd: int) -> int:
    """The inode number of a descriptor, which is closed."""
    inode = os.fstat(fd).st_ino
    os.close(fd)
    return inode
