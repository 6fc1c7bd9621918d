"""Assertions about refusals, exact to the errno."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from helpers import journal, kernel


def names(errnos: tuple[int, ...]) -> str:
    """``ESRCH or ENOENT`` for their numbers."""
    return " or ".join(errno.errorcode[number] for number in errnos)


@contextmanager
def refused(*errnos: int) -> Iterator[None]:
    """The calls inside must raise an ``OSError`` with one of `errnos`."""
    __tracebackhide__ = True
    due = names(errnos)
    try:
        yield
    except OSError as error:
        found = errno.errorcode.get(error.errno or 0, str(error.errno))
        journal.record("kernel", f"refused with {found}")
        if error.errno not in errnos:
            text = os.strerror(error.errno or 0)
            raise AssertionError(f"refused with {found} ({text}), {due} was due") from error
    else:
        raise AssertionError(f"the kernel did it, a refusal with {due} was due")


def answer(call: Callable[..., object], *args: object) -> str:
    """What a call comes to: ``done``, or the name of its errno."""
    try:
        call(*args)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "done"


def moved(new: int, *, old: int, since: tuple[int, int]) -> tuple[int, ...]:
    """Accepted values of an errno that was corrected from `old` to `new` in mainline `since`.

    From that version on only the new one will do; before it either, since fixes are backported.
    """
    return (new,) if kernel.running() >= since else (new, old)
