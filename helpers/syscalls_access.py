"""System calls about rights, memory and identity of files; an annexe to `helpers.syscalls`."""

from __future__ import annotations

import ctypes
from typing import Final

from helpers import syscalls
from helpers.syscalls import _check, _libc
from helpers.uapi import ABI

_NR_KCMP: Final = {
    "x86_64": 312,
    "i386": 349,
    "arm": 378,
    "s390x": 343,
    "ppc64": 354,
    "ppc64le": 354,
}.get(ABI, 272)
_KCMP_FILE: Final = 0
_CAPABILITY_VERSION_3: Final = 0x20080522


def kcmp_file(pid: int, fd: int, other_pid: int, other_fd: int) -> int:
    """``kcmp(2)`` of two descriptors: 0 where both are of one open file description."""
    return syscalls.syscall(_NR_KCMP, pid, other_pid, _KCMP_FILE, fd, other_fd)


def drop_capabilities(removed: int) -> None:
    """Remove a set of capabilities for good from the calling thread, by ``capset(2)``."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    # Effective, permitted and inheritable, first of capabilities 0 to 31, then of 32 to 63.
    sets = (ctypes.c_uint32 * 6)()
    _check(int(_libc.capget(header, sets)))
    for index in range(6):
        sets[index] &= ~(removed >> 32 * (index // 3)) & 0xFFFFFFFF
    _check(int(_libc.capset(header, sets)))


def mprotect(address: int, length: int, protection: int) -> None:
    """``mprotect(2)``."""
    words = (ctypes.c_void_p(address), ctypes.c_size_t(length), ctypes.c_int(protection))
    _check(int(_libc.mprotect(*words)))
