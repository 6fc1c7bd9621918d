"""What the processes of a race share: words of memory, read and written without a system call.

One process, the driver, acts; observers on other CPUs watch. Each round has a number. The driver
publishes a round, every observer says that its first attempt is made, the driver brings the cause
about and says so, and every observer says that it is through.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable
from typing import NamedTuple

from helpers.deadline import Deadline

_FD_BITS, _PID_BITS = 12, 22  # which leaves 29 for rounds: half a day of the fastest
_APART = 8  # words of a cache line
_ROUND, _CAUSED, _STARTED, _DONE = 0, _APART, 2 * _APART, 3 * _APART
_SPINS = 2000
_PAUSE = 20e-6
_OVER = -1


class Subject(NamedTuple):
    """What the observers of a round look at."""

    round: int
    pid: int
    fd: int


class Board:
    """The words, and how to wait for them; made before the observers are."""

    def __init__(self, observers: int, cpus: int) -> None:
        """Have a line for each of `observers`; with one of `cpus` nobody waits by spinning."""
        self._pages = mmap.mmap(-1, mmap.PAGESIZE)  # shared with children
        self._words = memoryview(self._pages).cast("q")
        self._observers = range(observers)
        self._spins = _SPINS if cpus > observers else 0
        self.is_sound: Callable[[], object] = bool
        """Called now and then while one waits; raises if it is to no purpose."""
        self.caused = self._words[_CAUSED : _CAUSED + 1]
        """The round whose cause is through, for `attempts.repeat`."""

    def publish(self, subject: Subject) -> None:
        """Begin a round: one word says all, so that nobody sees half of it."""
        word = (subject.round << _PID_BITS | subject.pid) << _FD_BITS | subject.fd
        self._words[_ROUND] = word

    def await_started(self, number: int) -> None:
        """Wait until all observers have made an attempt in round `number`."""
        for observer in self._observers:
            self._wait(_STARTED + observer * 2 * _APART, number, "observers to begin a round")

    def finish(self, number: int) -> None:
        """Say that the cause is through, and wait until all observers know."""
        self.caused[0] = number
        for observer in self._observers:
            self._wait(_DONE + observer * 2 * _APART, number, "observers to end a round")

    def end(self) -> None:
        """Send the observers home."""
        self._words[_ROUND] = _OVER

    def next(self, after: int) -> Subject | None:
        """The round behind `after`, for an observer; None when there are no more."""
        self._wait(_ROUND, after + 1 << _PID_BITS + _FD_BITS, "the driver to begin a round")
        word = self._words[_ROUND]
        if word == _OVER:
            return None
        rest, fd = word >> _FD_BITS, word & (1 << _FD_BITS) - 1
        return Subject(rest >> _PID_BITS, rest & (1 << _PID_BITS) - 1, fd)

    def started(self, observer: int, number: int) -> None:
        """Say that `observer` has made an attempt in round `number`."""
        self._words[_STARTED + observer * 2 * _APART] = number

    def done(self, observer: int, number: int) -> None:
        """Say that `observer` has seen what came of round `number`."""
        self._words[_DONE + observer * 2 * _APART] = number

    def _wait(self, index: int, least: int, what: str) -> None:
        words = self._words
        for _ in range(self._spins):
            if not _OVER < words[index] < least:
                return
        deadline = Deadline()
        while _OVER < words[index] < least:
            # Not sched_yield(2), which lets any other load of the CPU have its whole slice.
            time.sleep(_PAUSE)
            self.is_sound()
            if not deadline.left_ms():
                raise deadline.expired(what)


def spin(nanoseconds: int) -> None:
    """Let some time pass without giving the CPU away: it moves a cause against its observers."""
    end = time.monotonic_ns() + nanoseconds
    while time.monotonic_ns() < end:
        pass
