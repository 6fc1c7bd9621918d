"""The register of the faults, and the ways to write one down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from selftests.faults import answers, boundary


class Fault(NamedTuple):
    """A way to break the kernel: its name, the rule that it breaks, and how.

    `waits` names what a test may wait for in vain; with `kills` it may miss a child.
    """

    name: str
    rule: str
    subject: str
    install: Callable[[], None]
    waits: str = ""
    kills: bool = False


_F = TypeVar("_F", bound=Callable[..., Any])

FAULTS: dict[str, Fault] = {}


def fault(**more: Any) -> Callable[[_F], _F]:
    """Enter a fault, a function that installs it; its name is its own, its rule its docstring."""
    return lambda install: _enter(install, install, **more)


def breaks(*names: str, **more: Any) -> Callable[[boundary.Broken], boundary.Broken]:
    """Enter a function as a fault that takes the place of the functions `names`.

    It is given the real one and the arguments.
    """

    def enter(broken: boundary.Broken) -> boundary.Broken:
        def install() -> None:
            for name in names:
                boundary.wrap(name, broken)

        return _enter(broken, install, **more)

    return enter


def edits_info(edit: answers.EditInfo) -> answers.EditInfo:
    """Enter a function as a fault that changes what ``PIDFD_GET_INFO`` answers."""
    return _enter(edit, lambda: answers.edit_info(edit))


def edits_events(edit: answers.EditEvents) -> answers.EditEvents:
    """Enter a function as a fault that changes what poll and its like say."""
    return _enter(edit, lambda: answers.edit_events(edit))


def _enter(function: _F, install: Callable[[], None], **more: Any) -> _F:
    name, subject = function.__name__, function.__module__.rpartition(".")[2]
    assert name not in FAULTS, f"there are two faults {name}"
    FAULTS[name] = Fault(name, " ".join((function.__doc__ or "").split()), subject, install, **more)
    return function
