"""Faults of the pidfds that fanotify gives with its events."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from typing import Any

from selftests.faults import boundary, pidfds
from selftests.faults.boundary import EPERM, ESRCH, Real
from selftests.faults.registry import breaks, fault

# include/uapi/linux/fanotify.h: struct fanotify_event_metadata, which starts each event.
_HEAD = struct.Struct("=IBBHQii")
_VERSION = 3


def _edit_pidfd(change: Callable[[int], int]) -> None:
    def broken(real: Real, fd: int, size: int) -> Any:
        data = bytearray(real(fd, size))
        # The pidfd is what an event ends with.
        if len(data) > _HEAD.size and _HEAD.unpack_from(data)[:2] == (len(data), _VERSION):
            (number,) = struct.unpack_from("=i", data, len(data) - 4)
            struct.pack_into("=i", data, len(data) - 4, change(number))
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


@fault()
def every_missing_pidfd_is_of_a_process_that_is_gone() -> None:
    """Why there is no pidfd is told: the process is not to be found, or another error."""
    _edit_pidfd(lambda fd: fd if fd >= 0 else -1)


@fault()
def process_above_is_told_by_its_pidfd() -> None:
    """Who has no number in the reader's pid namespace has no pidfd either."""
    _edit_pidfd(lambda fd: os.pidfd_open(os.getpid()) if fd == -1 else fd)


@breaks("read")
def event_that_is_not_stored_leaves_its_file_open(
    real: Real, fd: int, address: int, length: int
) -> int:
    """An event that cannot be stored leaves no descriptor behind."""
    leaked = os.dup(fd)
    boundary.at_mend(lambda: os.close(leaked))
    return int(real(fd, address, length))


@fault()
def pidfds_are_for_every_listener() -> None:
    """A listener without a privilege gets no pidfds."""
    boundary.accept("fanotify_init", EPERM, result=boundary.null)
