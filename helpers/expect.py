"""Assertions about refusals, exact to the errno."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import TracebackType

from helpers import journal, kernel
from helpers.words import errno_name


def names(errnos: tuple[int, ...]) -> str:
    """``ESRCH or ENOENT`` for their numbers."""
    return " or ".join(map(errno_name, errnos))


def refused(*errnos: int) -> _Refusal:
    """The call inside the ``with`` must raise an ``OSError`` with one of `errnos`."""
    return _Refusal(errnos)


class _Refusal:
    def __init__(self, errnos: tuple[int, ...]) -> None:
        self._errnos = errnos

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if error is not None and not isinstance(error, OSError):
            return False
        found = "was done" if error is None else f"was refused with {errno_name(error.errno)}"
        journal.record("kernel", "did it" if error is None else found[len("was ") :])
        if error is not None and error.errno in self._errnos:
            return True
        if error is not None:
            found += f" ({os.strerror(error.errno or 0)})"
        from helpers.refused_call import inside  # large, and for failures alone

        call, values = inside(sys._getframe(1))
        due = f"{call} {found}, {names(self._errnos)} was due"
        raise AssertionError(due + (f" ({values})" if values else "")) from None


def answer(call: Callable[..., object], *args: object) -> str:
    """What a call comes to: ``done``, or the name of its errno."""
    try:
        call(*args)
    except OSError as error:
        return errno_name(error.errno)
    return "done"


def moved(new: int, *, old: int, since: tuple[int, int]) -> tuple[int, ...]:
    """Accepted values of an errno that was corrected from `old` to `new` in mainline `since`.

    From that version on only the new one will do; before it either, since fixes are backported.
    """
    return (new,) if kernel.running() >= since else (new, old)
