"""Faults by which nothing ends, or nothing begins, in the eyes of the observers of a race.

They are put behind `helpers.attempts.repeat`, as those of `races` are, and edit each vector whole.
"""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Callable
from typing import Any

from helpers import attempts
from helpers.attempts import Attempts
from selftests.faults import boundary
from selftests.faults.boundary import EACCES, EBADF, EPERM, ESRCH, Real
from selftests.faults.registry import fault

_OPENERS = ("pidfd_open", "pidfd_getfd", "ioctl")


def _edits_rounds(edit: Callable[[Attempts, list[int], bool], None]) -> None:
    """Install a fault that edits all vectors; it is told which are the first of a round."""

    def broken(real: Real, tries: Attempts, stop: Any, due: int) -> list[int]:
        results: list[int] = real(tries, stop, due)
        edit(tries, results, not due)
        return results

    boundary.replace(attempts, "repeat", functools.partial(broken, attempts.repeat))


@fault()
def first_answer_is_given_for_ever() -> None:
    """What has ended, or has become another's, is not what it was."""
    kept, answer = -1, b""

    def edit(tries: Attempts, results: list[int], begins: bool) -> None:
        nonlocal kept, answer
        opens = tries.what in _OPENERS
        if begins:
            if opens and kept >= 0:
                os.close(kept)
            kept = os.dup(results[0]) if opens and results[0] >= 0 else results[0]
            answer = bytes(tries.answers[0]) if tries.answers else b""
        for at, result in enumerate(results):
            if opens and result >= 0:
                os.close(result)
            results[at] = os.dup(kept) if opens and kept >= 0 else kept
            if tries.answers:
                ctypes.memmove(ctypes.addressof(tries.answers[at]), answer, len(answer))

    _edits_rounds(edit)


def _refuse(errors: dict[str, int]) -> None:
    def edit(tries: Attempts, results: list[int], _: bool) -> None:
        if tries.what in errors:
            for at, result in enumerate(results):
                if tries.what in _OPENERS and result >= 0:
                    os.close(result)
                results[at] = -errors[tries.what]

    _edits_rounds(edit)


@fault()
def living_process_is_not_found() -> None:
    """A process is found while it lives, and a descriptor while it is open."""
    _refuse({**dict.fromkeys((*_OPENERS, "pidfd_send_signal", "setns"), ESRCH), "copy": EBADF})


@fault()
def equal_is_refused() -> None:
    """A process without privileges is open to its own user."""
    _refuse({"pidfd_getfd": EPERM, "ioctl": EACCES})
