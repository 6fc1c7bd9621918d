"""Owners of one file descriptor each, and a register of those that are open."""

from __future__ import annotations

import fcntl
import os
from typing import TypeVar

from helpers.uapi import StatusFlag

_Self = TypeVar("_Self", bound="Descriptor")

_open: set[Descriptor] = set()


class Descriptor:
    """Owns one descriptor and closes it once.

    It travels: given to another task as an argument or as an answer, a duplicate arrives there.
    """

    def __init__(self, fd: int, role: str = "descriptor") -> None:
        """Take `fd` over; `role` names it in failure texts."""
        self._fd = fd
        self.role = role
        _open.add(self)

    def fileno(self) -> int:
        """The number, for calls that take one; ``ValueError`` once closed."""
        if self._fd < 0:
            raise ValueError(f"{self!r} is closed")
        return self._fd

    def dup(self: _Self) -> _Self:
        """Another descriptor of the same open file description."""
        return type(self)(os.dup(self.fileno()), f"duplicate of {self.role}")

    def keep(self: _Self) -> _Self:
        """Let it outlive the test that runs."""
        _open.discard(self)
        return self

    def release(self: _Self) -> _Self:
        """Let it end with the test that runs, which is the rule."""
        _open.add(self)
        return self

    @property
    def closes_on_exec(self) -> bool:
        """Whether ``FD_CLOEXEC`` is set."""
        return not os.get_inheritable(self.fileno())

    @property
    def status_flags(self) -> int:
        """Access mode and status flags of the open file description, as F_GETFL shows them.

        The number prints as a `StatusFlag`.
        """
        return StatusFlag(fcntl.fcntl(self.fileno(), fcntl.F_GETFL))

    @status_flags.setter
    def status_flags(self, flags: int) -> None:
        fcntl.fcntl(self.fileno(), fcntl.F_SETFL, flags)

    def travel(self) -> tuple[object, ...]:
        """What its constructor needs beside the number, where a duplicate arrives."""
        return (self.role,)

    def close(self) -> None:
        """Close it; a second time does nothing."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            _open.discard(self)
            os.close(fd)

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.role}{'' if self._fd >= 0 else ', closed'}>"


def close_all() -> None:
    """Close what is still open; the end of a test, whichever way it ended."""
    for descriptor in list(_open):
        descriptor.close()


def open_file(path: str, flags: int = os.O_RDONLY) -> Descriptor:
    """``open(2)`` with O_CLOEXEC."""
    return Descriptor(os.open(path, flags | os.O_CLOEXEC), path)
