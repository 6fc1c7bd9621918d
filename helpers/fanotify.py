"""Groups of ``fanotify(7)`` that tell of processes by pidfds."""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from typing import NamedTuple

from helpers import getfd
from helpers.descriptor import Descriptor
from helpers.pidfd import Pidfd
from helpers.syscalls import _check, _libc
from helpers.syscalls_access import fanotify_init, mprotect, read
from helpers.uapi import AT_FDCWD
from helpers.uapi_files import (
    FAN_CLOEXEC,
    FAN_EPIDFD,
    FAN_EVENT_INFO_TYPE_PIDFD,
    FAN_MARK_ADD,
    FAN_NONBLOCK,
    FAN_NOPIDFD,
    FAN_OPEN,
    FAN_REPORT_PIDFD,
)
from helpers.words import errno_name

_PROT_NONE = 0

METADATA_SIZE = 24
_METADATA = struct.Struct("=IBBHQii")
assert _METADATA.size == METADATA_SIZE
_INFO = struct.Struct("=BBHi")


class Event(NamedTuple):
    """That a file was opened: by which process, and its pidfd, None for FAN_NOPIDFD.

    The descriptor of the file, which comes as well, is closed.
    """

    pid: int
    pidfd: Pidfd | None


class Group(Descriptor):
    """Listens to the opening of one file."""

    @classmethod
    def new(cls, flags: int) -> Group:
        """``fanotify_init(2)``; it listens to nothing so far."""
        return cls(fanotify_init(flags | FAN_CLOEXEC | FAN_NONBLOCK, os.O_RDONLY), "group")

    @classmethod
    def listen(cls, path: str, flags: int = 0) -> Group:
        """One with pidfds, and `flags`, for whoever opens `path`."""
        group = cls.new(flags | FAN_REPORT_PIDFD)
        words = (ctypes.c_uint(FAN_MARK_ADD), ctypes.c_uint64(FAN_OPEN), AT_FDCWD)
        name = ctypes.c_char_p(os.fsencode(path))
        _check(int(_libc.fanotify_mark(ctypes.c_int(group.fileno()), *words, name)))
        return group

    def take(self) -> Event:
        """The one event that is there."""
        pid, number = self.take_numbers()
        told = "FAN_EPIDFD" if number == FAN_EPIDFD else errno_name(-number)
        assert number >= 0 or number == FAN_NOPIDFD, f"{told} came in place of a pidfd"
        return Event(pid, Pidfd(number, "causer's", pid) if number >= 0 else None)

    def take_numbers(self) -> tuple[int, int]:
        """Of the one event that is there: the pid, and the pidfd or what stands in its place."""
        data = os.read(self.fileno(), 4096)
        length, _, _, at, _, opened, pid = _METADATA.unpack_from(data)
        if opened >= 0:
            os.close(opened)
        assert length == len(data), f"one event was due, not {data!r}"
        while data[at] != FAN_EVENT_INFO_TYPE_PIDFD:  # records of other kinds come first
            at += int(_INFO.unpack_from(data, at)[2])
        return pid, _INFO.unpack_from(data, at)[3]

    def take_to(self, room: int) -> None:
        """Read where only the first `room` bytes of the buffer can be written."""
        size = mmap.PAGESIZE
        pages = mmap.mmap(-1, 2 * size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        first = ctypes.c_char.from_buffer(pages)
        end = ctypes.addressof(first) + size
        try:
            mprotect(end, size, _PROT_NONE)
            read(self.fileno(), end - room, size)
        finally:
            del first  # or the mapping cannot be closed
            pages.close()


def take_in_full_table(group: Group) -> tuple[int, int]:
    """`Group.take_numbers` when the caller may not have one descriptor more."""
    getfd.fill_table()
    return group.take_numbers()


def open_and_close(path: str) -> None:
    """Open a file and close it."""
    os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
