"""Waits that end by the clock if nothing else ends them.

A deadline bounds a failure: no passing test may come near it. Its length scales with
``--deadline`` for slow machines. Half of it decides for `helpers.race_observers` that a sleeper was
not woken, and for `helpers.race_autokill` that a child was not killed. Elsewhere the clock paces
(`helpers.observe`, `helpers.race_board`, `helpers.scenes_exec`) or ends what could go on for ever
(`helpers.race_driver`, `helpers.model.machine`).
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable

DEFAULT_SECONDS = 20.0
_FIRST_PAUSE, _LONGEST_PAUSE = 20e-6, 5e-3

_seconds = DEFAULT_SECONDS


class DeadlineExpired(AssertionError):
    """Something that the kernel owed did not come in time."""


class Deadline:
    """A moment in the future, by the monotonic clock."""

    def __init__(self, seconds: float | None = None) -> None:
        """Expire `seconds` from now, or after the run's default."""
        self.length = _seconds if seconds is None else seconds
        self._end = time.monotonic() + self.length

    def left_ms(self) -> int:
        """Milliseconds that remain, never negative, rounded up; a timeout for ``poll(2)``."""
        return max(0, int((self._end - time.monotonic()) * 1000 + 0.999))

    def await_input(self, fd: int, what: str) -> None:
        """Sleep until `fd` has `what` to read, or a hangup; raises `DeadlineExpired`."""
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        if not poller.poll(self.left_ms()):
            raise self.expired(what)

    def expired(self, what: str) -> DeadlineExpired:
        """Say that `what` was awaited in vain."""
        return DeadlineExpired(f"waited {self.length:g} s in vain for {what}")


def set_default(seconds: float) -> None:
    """Let every deadline made from now on last `seconds` unless it says otherwise."""
    global _seconds
    _seconds = seconds


def slowness() -> float:
    """How many times as long as by default things may take, as `set_default` has it."""
    return _seconds / DEFAULT_SECONDS


def wait_until(
    condition: Callable[[], bool],
    what: str,
    *,
    state: Callable[[], str] = str,
    seconds: float | None = None,
) -> None:
    """Ask `condition` again and again, for the few things that the kernel announces by no event.

    `what` names the thing awaited, `state` tells at the end how things stand.
    Raises `DeadlineExpired`.
    """
    deadline = Deadline(seconds)
    pause = _FIRST_PAUSE
    while not condition():
        if not deadline.left_ms():
            found = state()
            raise deadline.expired(f"{what}; found: {found}" if found else what)
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
