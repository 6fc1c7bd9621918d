"""Faults of ``process_madvise(2)`` and ``process_mrelease(2)`` by a pidfd."""

from __future__ import annotations

import os

from helpers import memory
from selftests.faults import boundary, pidfds
from selftests.faults.boundary import EACCES, EBADF, EINVAL, EPERM, ESRCH, Real
from selftests.faults.registry import breaks, fault

_ADVISE, _RELEASE = "process_madvise", "process_mrelease"


def _advise_in_spite_of(number: int) -> None:
    def advised(
        real: Real, pidfd: int, address: int, length: int, advice: int, flags: int = 0
    ) -> int:
        return length

    boundary.instead_of_errno(_ADVISE, number, advised)


@breaks(_ADVISE)
def length_of_the_advised_not_told(
    real: Real, pidfd: int, address: int, length: int, advice: int, flags: int = 0
) -> int:
    """The length that was advised is told."""
    real(pidfd, address, length, advice, flags)
    return 0


@fault()
def destroying_advice_taken() -> None:
    """Advice that destroys is for oneself alone."""
    _advise_in_spite_of(EINVAL)


@fault()
def advice_without_a_privilege() -> None:
    """Advice for others needs a privilege."""
    _advise_in_spite_of(EPERM)


@fault()
def advice_out_of_sight() -> None:
    """Who may not look into a process does not advise it."""
    _advise_in_spite_of(EACCES)


@fault()
def advice_to_the_dead() -> None:
    """An ended process has no memory, and a pidfd of a subthread stands for no process."""
    _advise_in_spite_of(ESRCH)


@fault()
def advice_by_any_descriptor() -> None:
    """Advice is given by a pidfd."""
    _advise_in_spite_of(EBADF)


@fault()
def dead_are_released() -> None:
    """An ended process has nothing to release, and a pidfd of a subthread stands for none."""
    boundary.accept(_RELEASE, ESRCH)


@fault()
def release_by_any_descriptor() -> None:
    """Memory is released by a pidfd."""
    boundary.accept(_RELEASE, EBADF)


@breaks(_ADVISE)
def advice_takes_flags(
    real: Real, pidfd: int, address: int, length: int, advice: int, flags: int = 0
) -> int:
    """No flag is known, whatever the pidfd stands for."""
    return int(real(pidfd, address, length, advice, 0))


@breaks(_RELEASE)
def dying_keep_their_memory(real: Real, pidfd: int, flags: int = 0) -> None:
    """The memory of a process that is being killed is released."""
    boundary.fail(EINVAL)


@breaks(_RELEASE)
def release_leaves_the_memory(real: Real, pidfd: int, flags: int = 0) -> None:
    """What a killed process has written is gone when the call is done."""


@fault()
def living_process_is_released() -> None:
    """A living process keeps its memory, and what it shares with one that is being killed."""
    boundary.accept(_RELEASE, EINVAL)


@fault()
def memory_is_released_once() -> None:
    """The call is done for every killed process that has not ended."""
    released: list[int] = []

    def broken(real: Real, pidfd: int, flags: int = 0) -> None:
        if pidfd in released:
            boundary.fail(EINVAL)
        real(pidfd, flags)
        released.append(pidfd)

    boundary.wrap(_RELEASE, broken)


@breaks("process_madvise_at")
def ranges_out_of_reach_are_none(
    real: Real, pidfd: int, vector: int, count: int, advice: int
) -> int:
    """The vector of ranges is read as a whole, before anything is advised."""
    return 0


@breaks(_ADVISE)
def advice_goes_by_the_real_user(
    real: Real, pidfd: int, address: int, length: int, advice: int, flags: int = 0
) -> int:
    """The user for files decides whose memory may be advised."""
    if os.getuid() != os.geteuid():
        boundary.fail(EPERM if pidfds.is_of_user(pidfd, os.getuid()) else EACCES)
    return int(real(pidfd, address, length, advice, flags))


@fault()
def destroying_advice_refused_to_oneself() -> None:
    """Every advice is taken for oneself."""

    def refused(
        real: Real, pidfd: int, address: int, length: int, advice: int, flags: int = 0
    ) -> int:
        return boundary.fail(EINVAL) if advice in memory.FOR_ONESELF.values() else length

    boundary.wrap(_ADVISE, refused)


@breaks("process_madvise_ranges")
def ranges_behind_one_that_is_refused_are_advised(
    real: Real, pidfd: int, ranges: list[tuple[int, int]], advice: int
) -> int:
    """Ranges are advised in turn, until one is refused."""
    return sum(length for _, length in ranges)


@breaks("process_madvise_ranges")
def advice_on_no_memory_unchecked(
    real: Real, pidfd: int, ranges: list[tuple[int, int]], advice: int
) -> int:
    """Advice is checked before it matters what it is about."""
    return int(real(pidfd, ranges, advice)) if _name_memory(ranges) else 0


@breaks("process_madvise_ranges")
def advice_on_no_memory_refused(
    real: Real, pidfd: int, ranges: list[tuple[int, int]], advice: int
) -> int:
    """Advice on nothing is done."""
    return int(real(pidfd, ranges, advice)) if _name_memory(ranges) else boundary.fail(EINVAL)


def _name_memory(ranges: list[tuple[int, int]]) -> bool:
    return any(length for _, length in ranges)
