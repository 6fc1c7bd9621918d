"""``PIDFD_GET_INFO`` byte by byte: structures of any size, at any address."""

from __future__ import annotations

import ctypes
import mmap
import struct
from enum import Enum
from typing import NamedTuple

from helpers import kernel, syscalls
from helpers.descriptor import Descriptor
from helpers.pidfd import Pidfd
from helpers.syscalls_access import mprotect
from helpers.uapi import PIDFD_INFO_SIZE_VER3, InfoMask, pidfd_get_info

FILLER = b"\xaa"
"""What is in every byte of a structure that the kernel has not written."""

UNKNOWN_BITS = ~int(sum(InfoMask)) & ((1 << 64) - 1) & ~0xFF00
"""Of a request's mask: those without a meaning, and unlikely to have one in the next versions."""

_LARGEST = 8192
_PROT_NONE, _PROT_READ = 0, 1

# v6.19 and v7.0 had it where coredump_code and its pad are since v7.1, which moved it.
_MOVED = (7, 1)
SUPPORTED_OFFSET_V6_19 = 72
SUPPORTED_OFFSET = 80


class Answer(NamedTuple):
    """The bytes of a structure after the call, and those behind it."""

    inside: bytes
    behind: bytes

    @property
    def mask(self) -> InfoMask:
        """``pidfd_info.mask``."""
        return InfoMask(struct.unpack_from("=Q", self.inside)[0])


def supported_offset() -> int:
    """Where this kernel has ``pidfd_info.supported_mask``."""
    return SUPPORTED_OFFSET if kernel.running() >= _MOVED else SUPPORTED_OFFSET_V6_19


def supported(pidfd: Descriptor, beside: InfoMask = InfoMask.NONE) -> InfoMask:
    """``pidfd_info.supported_mask``, wherever this kernel has it; asked for beside other bits."""
    answer = ask(pidfd, InfoMask.SUPPORTED_MASK | beside)
    if InfoMask.SUPPORTED_MASK not in answer.mask:
        return InfoMask.NONE
    return InfoMask(struct.unpack_from("=Q", answer.inside, supported_offset())[0])


def ask(
    pidfd: Descriptor,
    mask: int = 0,
    size: int = PIDFD_INFO_SIZE_VER3,
    command: int | None = None,
) -> Answer:
    """``PIDFD_GET_INFO`` with a structure of `size` bytes; `command` in place of its number."""
    buffer = (ctypes.c_char * _LARGEST).from_buffer_copy(FILLER * _LARGEST)
    struct.pack_into("=Q", buffer, 0, mask)
    request = pidfd_get_info(size) if command is None else command
    syscalls.ioctl(pidfd.fileno(), request, ctypes.addressof(buffer))
    return Answer(buffer.raw[:size], buffer.raw[size:])


class Place(Enum):
    """Addresses that a structure cannot be at, or not as a whole."""

    NULL = "null"
    NOWHERE = "nowhere"
    UNREADABLE = "in a page without access"
    READ_ONLY = "in a page that is only read"
    ACROSS = "across the end of the last page"


def ask_at(pidfd: Pidfd, place: Place) -> None:
    """``PIDFD_GET_INFO`` with a structure at such an address."""
    request = pidfd_get_info(PIDFD_INFO_SIZE_VER3)
    if place in (Place.NULL, Place.NOWHERE):
        syscalls.ioctl(pidfd.fileno(), request, 0 if place is Place.NULL else 8)
        return
    size = mmap.PAGESIZE
    pages = mmap.mmap(-1, 2 * size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    first = ctypes.c_char.from_buffer(pages)
    start = ctypes.addressof(first)
    try:
        protected = start + size if place is Place.ACROSS else start
        mprotect(protected, size, _PROT_READ if place is Place.READ_ONLY else _PROT_NONE)
        at = start + size - 64 if place is Place.ACROSS else start
        syscalls.ioctl(pidfd.fileno(), request, at)
    finally:
        del first
        pages.close()
