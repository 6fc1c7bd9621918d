"""Faults of Landlock, as far as pidfds are in question."""

from __future__ import annotations

from typing import Any

from selftests.faults import boundary
from selftests.faults.boundary import EACCES, EPERM, Real
from selftests.faults.registry import fault

_LOOKED_AT = {
    "pidfd_send_signal": EPERM,
    "pidfd_getfd": EPERM,
    "setns": EPERM,
    "ioctl": EACCES,
}


@fault()
def domain_reaches_nobody() -> None:
    """A process in a domain reaches those that are in it, and is told of all."""
    confined: list[int] = []

    def enter(real: Real, ruleset: Any) -> None:
        real(ruleset)
        confined.append(1)

    def refuse(number: int) -> Any:
        return lambda real, *args: boundary.fail(number) if confined else real(*args)

    boundary.wrap("landlock_restrict_self", enter)
    for name, number in _LOOKED_AT.items():
        boundary.wrap(name, refuse(number))


@fault()
def domain_keeps_nothing_inside() -> None:
    """Signals and looks that leave a domain are refused."""
    boundary.wrap("landlock_restrict_self", lambda real, ruleset: None)
