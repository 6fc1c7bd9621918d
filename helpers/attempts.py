"""Vectors of attempts: one system call made again and again, as fast as Python can.

All that an attempt needs is made ready in advance: arguments that ctypes takes as they are, and a
place of its own for each answer. Nothing is looked at before the vector is through. `repeat` is
the boundary to the kernel here, where selftests put faults as they do in `helpers.syscalls`.
"""

from __future__ import annotations

import ctypes
import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any, Final

from helpers import syscalls
from helpers.uapi import InfoMask, PidfdInfoStruct, PollEvent, PollFd, pidfd_get_info

_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

LENGTH: Final = 1000
"""Attempts in a vector; who needs more goes round again."""


class Attempts:
    """A vector of attempts at one call on one descriptor or task, which changes by the round.

    `answers` is the array that the kernel writes to, one element an attempt, None where the
    result says it all.
    """

    def __init__(
        self,
        what: str,
        call: Callable[..., int],
        arguments: Callable[[ctypes.c_long, int], tuple[object, ...]],
        answers: Any = None,
        length: int = LENGTH,
    ) -> None:
        """Make `length` attempts ready; `arguments` is given the subject and an answer's address."""
        self.what, self.call, self.answers, self.length = what, call, answers, length
        self.subject = ctypes.c_long(-1)
        self._asked = bytes(answers) if answers is not None else b""
        self.size = len(self._asked) // length
        start = ctypes.addressof(answers) if answers is not None else 0
        self.arguments = [
            arguments(self.subject, start + number * self.size) for number in range(length)
        ]

    def turn_to(self, subject: int) -> None:
        """Make the next attempts on another descriptor or task."""
        self.subject.value = subject

    def read(self, results: list[int]) -> Iterator[tuple[int, bytes]]:
        """Results and answers in order, each run of equal ones told once; forgets the answers."""
        used = len(results)
        if self.answers is None:
            pairs: Iterator[tuple[int, bytes]] = ((result, b"") for result in results)
        else:
            told = bytes(memoryview(self.answers).cast("B")[: used * self.size])
            ctypes.memmove(self.answers, self._asked, used * self.size)
            parts = (told[at : at + self.size] for at in range(0, len(told), self.size))
            pairs = zip(results, parts)
        for pair, _ in itertools.groupby(pairs):
            yield pair


def repeat(attempts: Attempts, stop: Any, due: int) -> list[int]:
    """Make the attempts until the vector is through, or one that began when `stop` was `due`.

    Gives what each returned, a failure as its negative errno.
    """
    call, get_errno = attempts.call, ctypes.get_errno
    results: list[int] = []
    note = results.append
    for arguments in attempts.arguments:
        over = stop[0] >= due
        result = call(*arguments)
        note(result if result >= 0 else -get_errno())
        if over:
            break
    return results


def get_info(mask: InfoMask) -> Attempts:
    """``PIDFD_GET_INFO`` asking for `mask`; the subject is a pidfd."""
    answers = (PidfdInfoStruct * LENGTH)(*[PidfdInfoStruct(mask=mask)] * LENGTH)
    request = ctypes.c_ulong(pidfd_get_info())
    return Attempts(
        "PIDFD_GET_INFO",
        _libc.ioctl,
        lambda fd, address: (fd, request, ctypes.c_void_p(address)),
        answers,
    )


class _Polls(Attempts):
    """The descriptor stands where the answer goes."""

    def turn_to(self, subject: int) -> None:
        entry = PollFd.from_buffer_copy(self._asked)
        entry.fd = subject
        self._asked = bytes(entry) * self.length
        ctypes.memmove(self.answers, self._asked, len(self._asked))


def poll(events: PollEvent) -> Attempts:
    """``poll(2)`` that does not wait; the subject is a pidfd, written into each answer."""
    answers = (PollFd * LENGTH)(*[PollFd(-1, events)] * LENGTH)
    one, at_once = ctypes.c_ulong(1), ctypes.c_int(0)
    return _Polls(
        "poll", _libc.poll, lambda _, address: (ctypes.c_void_p(address), one, at_once), answers
    )
