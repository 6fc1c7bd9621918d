"""Groups of ``fanotify(7)`` that tell of processes by pidfds."""

from __future__ import annotations

import ctypes
import os
import struct
from typing import NamedTuple

from helpers.descriptor import Descriptor
from helpers.pidfd import Pidfd
from helpers.syscalls import _check, _libc
from helpers.uapi import AT_FDCWD
from helpers.uapi_files import (
    FAN_CLOEXEC,
    FAN_EVENT_INFO_TYPE_PIDFD,
    FAN_MARK_ADD,
    FAN_NONBLOCK,
    FAN_NOPIDFD,
    FAN_OPEN,
    FAN_REPORT_PIDFD,
)

_METADATA = struct.Struct("=IBBHQii")
_INFO = struct.Struct("=BBHi")


class Event(NamedTuple):
    """What was opened is closed again; the pidfd is None where the kernel had none to give."""

    pid: int
    pidfd: Pidfd | None


class Group(Descriptor):
    """Listens to the opening of one file."""

    @classmethod
    def listen(cls, path: str, flags: int = 0) -> Group:
        """``fanotify_init(2)`` with pidfds, and `flags`, for whoever opens `path`."""
        flags |= FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_PIDFD
        group = cls(_check(int(_libc.fanotify_init(ctypes.c_uint(flags), os.O_RDONLY))), "group")
        words = (ctypes.c_uint(FAN_MARK_ADD), ctypes.c_uint64(FAN_OPEN), AT_FDCWD)
        name = ctypes.c_char_p(os.fsencode(path))
        _check(int(_libc.fanotify_mark(ctypes.c_int(group.fileno()), *words, name)))
        return group

    def take(self) -> Event:
        """The one event that is there."""
        data = os.read(self.fileno(), 4096)
        length, _, _, size, _, opened, pid = _METADATA.unpack_from(data)
        kind, _, _, number = _INFO.unpack_from(data, size)
        if opened >= 0:
            os.close(opened)
        assert (length, kind) == (len(data), FAN_EVENT_INFO_TYPE_PIDFD), (
            f"one event was due, not {data!r}"
        )
        assert number >= 0 or number == FAN_NOPIDFD, f"{number} in place of a pidfd"
        return Event(pid, Pidfd(number, "causer's", pid) if number >= 0 else None)


def touch(path: str) -> None:
    """Open a file and close it."""
    os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
