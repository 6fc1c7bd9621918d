"""What the kernel says of many pidfds at once, without a word in the journal."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from helpers import syscalls
from helpers.info import decode_waitid
from helpers.model.orders import info
from helpers.model.tasks import Report, Told
from helpers.pidfd import Pidfd
from helpers.uapi import InfoMask, PollEvent
from helpers.words import errno_name

PEEK = os.WEXITED | os.WSTOPPED | os.WCONTINUED | os.WNOHANG | os.WNOWAIT


class Refusal(NamedTuple):
    """An errno in place of an answer."""

    errno: int

    def __repr__(self) -> str:
        return errno_name(self.errno)


class Answers(NamedTuple):
    """All that can be asked of one pidfd and changes nothing."""

    poll: object
    info: object
    exit_info: object
    waitid: object
    fdinfo: object


def attempt(function: Callable[..., object], *args: object) -> object:
    """The result of a call, or its `Refusal`."""
    try:
        return function(*args)
    except OSError as error:
        return Refusal(error.errno or 0)


def told(result: os.waitid_result | None) -> Told | None:
    """The meaning of what ``waitid(2)`` says."""
    if result is None:
        return None
    if result.si_code == os.CLD_STOPPED:
        return Told(result.si_pid, Report.STOPPED)
    if result.si_code == os.CLD_CONTINUED:
        return Told(result.si_pid, Report.CONTINUED)
    return Told(result.si_pid, decode_waitid(result))


def _peek(pidfd: Pidfd) -> Told | None:
    return told(pidfd.waitid(PEEK))


def shown(pidfd: Pidfd) -> list[int]:
    """``NSpid`` of the descriptor's fdinfo; raises ``ValueError`` unless it begins with ``Pid``."""
    fd = os.open(f"/proc/self/fdinfo/{pidfd.fileno()}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = os.read(fd, 4096)
    finally:
        os.close(fd)
    first = int(text[text.index(b"\nPid:\t") + 6 :].split(None, 1)[0])
    if b"\nNSpid:\t" not in text:  # a kernel without pid namespaces
        return [first]
    numbers = [*map(int, text[text.index(b"\nNSpid:\t") + 8 :].split())]
    if numbers[0] != first:
        raise ValueError(f"fdinfo tells two pids: {text!r}")
    return numbers


def ask(pidfds: Sequence[Pidfd]) -> list[Answers]:
    """What is told of each of `pidfds` now."""
    polled = syscalls.poll({pidfd.fileno(): PollEvent.IN for pidfd in pidfds}, 0)
    return [
        Answers(
            PollEvent(polled[pidfd.fileno()]),
            attempt(info, pidfd, InfoMask.NONE),
            attempt(info, pidfd, InfoMask.EXIT),
            attempt(_peek, pidfd),
            shown(pidfd),
        )
        for pidfd in pidfds
    ]
