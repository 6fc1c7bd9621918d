"""Vectors of attempts: one system call made again and again, as fast as Python can.

All that an attempt needs is made ready in advance: arguments that ctypes takes as they are, and a
place of its own for each answer. Nothing is looked at before the vector is through. `repeat` is
the boundary to the kernel here, where selftests put faults as they do in `helpers.syscalls`.
"""

from __future__ import annotations

import ctypes
import itertools
import select
from collections.abc import Callable, Iterator
from typing import Any, Final

from helpers import syscalls
from helpers.uapi import MACHINE, InfoMask, PidfdFlag, PidfdInfoStruct, PollEvent, pidfd_get_info
from helpers.uapi_structs import PollFd

_libc: Final = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

_EPOLL_CTL_MOD: Final = 3

FEW: Final = 200
"""Attempts in a vector each of which may open a descriptor; they are closed when it is through."""

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
        """Make `length` attempts; `arguments` is given the subject and an answer's address."""
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

    def turn_away(self) -> None:
        """Let go of the subject."""

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


def _by_number(what: str, number: int, *arguments: int, length: int = LENGTH) -> Attempts:
    """A system call whose first argument is the subject, and whose result says it all."""
    words = tuple(map(ctypes.c_long, arguments))
    call = ctypes.c_long(number)
    return Attempts(what, _libc.syscall, lambda subject, _: (call, subject, *words), length=length)


def pidfd_open(flags: PidfdFlag) -> Attempts:
    """``pidfd_open(2)``; the subject is a pid."""
    return _by_number("pidfd_open", syscalls.NR_PIDFD_OPEN, flags, length=FEW)


def pidfd_getfd(target: int) -> Attempts:
    """``pidfd_getfd(2)`` of number `target`; the subject is a pidfd."""
    return _by_number("pidfd_getfd", syscalls.NR_PIDFD_GETFD, target, 0, length=FEW)


def pidfd_send_signal(signal: int) -> Attempts:
    """``pidfd_send_signal(2)`` with the kernel's own siginfo; the subject is a pidfd."""
    number = syscalls.NR_PIDFD_SEND_SIGNAL
    return _by_number("pidfd_send_signal", number, signal, 0, 0)


def ioctl(request: int) -> Attempts:
    """``ioctl(2)`` without an argument that opens a descriptor; the subject is a pidfd."""
    number = ctypes.c_ulong(request)
    nothing = ctypes.c_void_p(None)
    return Attempts("ioctl", _libc.ioctl, lambda fd, _: (fd, number, nothing), length=FEW)


class EpollEvent(ctypes.Structure):
    """``struct epoll_event``; packed on x86_64 alone (``include/uapi/linux/eventpoll.h``)."""

    _fields_ = [
        ("events", ctypes.c_uint32),
        ("data", ctypes.c_uint32 * 2 if MACHINE == "x86_64" else ctypes.c_uint64),
    ]


class _Epolls(Attempts):
    """Level-triggered; registered anew by each attempt, or only wake-ups of the past would tell."""

    def __init__(self, events: PollEvent) -> None:
        self._epoll = select.epoll()
        instance, modify = ctypes.c_int(self._epoll.fileno()), ctypes.c_int(_EPOLL_CTL_MOD)
        one, at_once = ctypes.c_int(1), ctypes.c_int(0)
        wanted = EpollEvent(events)
        control, wait = _libc.epoll_ctl, _libc.epoll_wait

        def call(fd: ctypes.c_long, answer: ctypes.c_void_p) -> int:
            if control(instance, modify, fd, ctypes.byref(wanted)):
                return -1
            return int(wait(instance, answer, one, at_once))

        super().__init__(
            "epoll",
            call,
            lambda fd, address: (fd, ctypes.c_void_p(address)),
            (EpollEvent * LENGTH)(),
        )

    def turn_to(self, subject: int) -> None:
        self._epoll.register(subject, 0)
        super().turn_to(subject)

    def turn_away(self) -> None:
        self._epoll.unregister(self.subject.value)


def epoll(events: PollEvent) -> Attempts:
    """``epoll_wait(2)`` that does not wait; the subject is a pidfd."""
    return _Epolls(events)


HANGUP = 1 << 16
"""In a result of `hangup_info`: the poll told HUP, so exit information was asked for."""


def hangup_info() -> Attempts:
    """``poll(2)`` that does not wait and, where it tells HUP, ``PIDFD_GET_INFO`` at once.

    The result is the events, with `HANGUP` and the errno of the second call above them.
    """
    events = PollFd(-1, PollEvent.IN)
    ask_poll, ask_info, get_errno = _libc.poll, _libc.ioctl, ctypes.get_errno
    one, at_once, request = ctypes.c_ulong(1), ctypes.c_int(0), ctypes.c_ulong(pidfd_get_info())
    entry, hup = ctypes.byref(events), int(PollEvent.HUP)

    def call(fd: ctypes.c_long, answer: ctypes.c_void_p) -> int:
        events.fd = fd.value
        if ask_poll(entry, one, at_once) < 0:
            return -1
        if not events.revents & hup:
            return int(events.revents)
        failed = ask_info(fd, request, answer)
        return int(events.revents) | HANGUP | (get_errno() << 17 if failed else 0)

    answers = (PidfdInfoStruct * LENGTH)(*[PidfdInfoStruct(mask=InfoMask.EXIT)] * LENGTH)
    return Attempts(
        "poll and PIDFD_GET_INFO",
        call,
        lambda fd, address: (fd, ctypes.c_void_p(address)),
        answers,
    )
