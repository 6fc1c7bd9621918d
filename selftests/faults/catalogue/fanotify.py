"""Faults of the pidfds that fanotify gives with its events."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import Any

from selftests.faults import boundary, pidfds
from selftests.faults.boundary import ESRCH, Real
from selftests.faults.registry import fault

# include/uapi/linux/fanotify.h: struct fanotify_event_metadata, and _event_info_pidfd behind it.
_HEAD = struct.Struct("=IBBHQii")
_VERSION, _PIDFD_AT = 3, _HEAD.size + 4


def _edit_pidfd(change: Callable[[int], int]) -> None:
    def broken(real: Real, fd: int, size: int) -> Any:
        data = bytearray(real(fd, size))
        if len(data) == _PIDFD_AT + 4 and _HEAD.unpack_from(data)[1] == _VERSION:
            (number,) = struct.unpack_from("=i", data, _PIDFD_AT)
            struct.pack_into("=i", data, _PIDFD_AT, change(number))
        return bytes(data)

    boundary.wrap("os.read", broken)


@fault()
def causer_is_another_process() -> None:
    """The pidfd is of the task that caused the event."""

    def change(fd: int) -> int:
        if fd < 0:
            return fd
        os.close(fd)
        return pidfds.of_another()

    _edit_pidfd(change)


@fault()
def reaped_causer_is_an_errno() -> None:
    """Of a causer that is reaped comes a pidfd, or none; no other number comes in its place."""

    def change(fd: int) -> int:
        if fd >= 0 and pidfds.target(fd) != -1:
            return fd
        if fd >= 0:
            os.close(fd)
        return -ESRCH

    _edit_pidfd(change)
