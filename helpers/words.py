"""Values in the words of the kernel's headers, for failure texts and the journal."""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable


def errno_name(number: int | None) -> str:
    """``ESRCH`` for 3; of two names for one number that which the kernel's sources use."""
    if number == errno.EOPNOTSUPP:  # Python's table calls it by the C library's other name
        return "EOPNOTSUPP"
    return errno.errorcode.get(number or 0, str(number))


class Named(int):
    """A number whose ``repr`` is its name, with its value; as text it is the number."""

    name: str
    __str__ = int.__repr__

    @classmethod
    def called(cls, name: str, value: int) -> Named:
        """The number `value`, called `name`."""
        self = cls(value)
        self.name = name
        return self

    def __repr__(self) -> str:
        return f"{self.name} ({int(self)})"


def call_name(function: Callable[..., object]) -> str:
    """How an order is called in the journal; a helper's own is no secret there."""
    private = function.__module__.startswith("helpers.")
    return function.__name__.lstrip("_") if private else function.__name__


def argument(value: object) -> str:
    """`value` as the argument of a call is written: signals and the like by their names."""
    if isinstance(value, (signal.Signals, signal.Sigmasks)):
        return value.name
    if type(value) is list:
        return f"[{', '.join(map(argument, value))}]"
    return repr(value)
