"""Observers of races: each makes one call again and again, and decodes what it was told."""

from __future__ import annotations

import errno
import struct
from typing import NamedTuple, Optional

from helpers import attempts
from helpers.attempts import Attempts
from helpers.info import Outcome, decode_wait_status
from helpers.race_board import Subject
from helpers.race_driver import Family, Observer
from helpers.uapi import InfoMask, PollEvent

_INFO = struct.Struct("=QQ12I")
_MASK = struct.Struct("=Q")
_EVENTS = struct.Struct("=I")
_POLLFD = struct.Struct("=iHH")


class Told(NamedTuple):
    """One answer of ``PIDFD_GET_INFO``; `wrong` lists numbers that are not the task's."""

    identity: bool = False
    exit: Optional[Outcome] = None
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
        return errno.errorcode.get(self.errno, str(self.errno))


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
