"""System calls about rights, memory and identity of files; an annexe to `helpers.syscalls`."""

from __future__ import annotations

import ctypes
import os
from typing import Final

from helpers import syscalls
from helpers.syscalls import _check, _libc
from helpers.uapi_files import KCMP_FILE
from helpers.uapi_rights import LINUX_CAPABILITY_VERSION_3, LandlockRuleset
from helpers.uapi_structs import Iovec

_NR_LANDLOCK_CREATE_RULESET: Final = 444
_NR_LANDLOCK_RESTRICT_SELF: Final = 446


def kcmp_file(pid: int, fd: int, other_pid: int, other_fd: int) -> int:
    """``kcmp(2)`` of two descriptors: 0 where both are of one open file description."""
    return syscalls.syscall(syscalls.NUMBERS.kcmp, pid, other_pid, KCMP_FILE, fd, other_fd)


def drop_capabilities(removed: int) -> None:
    """Remove a set of capabilities for good from the calling thread, by ``capset(2)``."""
    header = (ctypes.c_uint32 * 2)(LINUX_CAPABILITY_VERSION_3, 0)
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


def fanotify_init(flags: int, event_flags: int) -> int:
    """``fanotify_init(2)``."""
    return _check(int(_libc.fanotify_init(ctypes.c_uint(flags), ctypes.c_uint(event_flags))))


def read(fd: int, address: int, length: int) -> int:
    """``read(2)`` of up to `length` bytes to any `address`."""
    where, room = ctypes.c_void_p(address), ctypes.c_size_t(length)
    return _check(int(_libc.read(ctypes.c_int(fd), where, room)))


def open_as_told(path: str, flags: int) -> int:
    """``open(2)`` with `flags` alone; the standard library's adds O_CLOEXEC."""
    return _check(int(_libc.open(ctypes.c_char_p(os.fsencode(path)), ctypes.c_int(flags))))


def eventfd() -> int:
    """``eventfd(2)``; ``os.eventfd`` came with Python 3.10."""
    return _check(int(_libc.eventfd(ctypes.c_uint(0), os.O_CLOEXEC)))


def timerfd() -> int:
    """``timerfd_create(2)`` of the monotonic clock; ``os.timerfd_create`` came with Python 3.13."""
    return _check(int(_libc.timerfd_create(1, os.O_CLOEXEC)))


def signalfd() -> int:
    """``signalfd(2)`` of no signal."""
    return _check(int(_libc.signalfd(-1, (ctypes.c_ubyte * 128)(), os.O_CLOEXEC)))


def inotify() -> int:
    """``inotify_init1(2)``."""
    return _check(int(_libc.inotify_init1(os.O_CLOEXEC)))


def getsockopt(fd: int, level: int, name: int, address: int, length: int) -> int:
    """``getsockopt(2)`` into `length` bytes at any `address`; gives the length that it told."""
    told = ctypes.c_int(length)
    where = ctypes.c_void_p(address)
    _check(int(_libc.getsockopt(fd, level, name, where, ctypes.byref(told))))
    return told.value


class _Message(ctypes.Structure):
    """``struct user_msghdr`` (``include/linux/socket.h``)."""

    _fields_ = [
        ("name", ctypes.c_void_p),
        ("namelen", ctypes.c_int),
        ("iov", ctypes.c_void_p),
        ("iovlen", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_uint),
    ]


def recvmsg(fd: int, control: int, room: int) -> bytes:
    """``recvmsg(2)`` with `room` bytes at any address for ancillary data; gives the text."""
    text = ctypes.create_string_buffer(64)
    part = Iovec(ctypes.addressof(text), len(text))
    message = _Message(iov=ctypes.addressof(part), iovlen=1, control=control, controllen=room)
    length = _check(int(_libc.recvmsg(fd, ctypes.byref(message), 0)))
    return text.raw[:length]


def fgetxattr(fd: int, name: str, room: int) -> bytes:
    """``fgetxattr(2)`` into `room` bytes; ``os.getxattr`` asks again where they are too few."""
    value = ctypes.create_string_buffer(room)
    words = (ctypes.c_int(fd), ctypes.c_char_p(name.encode()), value, ctypes.c_size_t(room))
    length = _check(int(_libc.fgetxattr(*words)))
    return value.raw[:length]


def ptrace(request: int, tid: int, data: int = 0) -> None:
    """``ptrace(2)`` for requests that take no address and give nothing back."""
    words = (ctypes.c_void_p(None), ctypes.c_void_p(data))
    _check(int(_libc.ptrace(ctypes.c_long(request), ctypes.c_long(tid), *words)))


def landlock_restrict_self(ruleset: LandlockRuleset) -> None:
    """Enter a domain: ``landlock_create_ruleset(2)`` and ``landlock_restrict_self(2)``, v5.13."""
    words = (ctypes.addressof(ruleset), ctypes.sizeof(ruleset), 0)
    fd = syscalls.syscall(_NR_LANDLOCK_CREATE_RULESET, *words)
    try:
        syscalls.syscall(_NR_LANDLOCK_RESTRICT_SELF, fd, 0)
    finally:
        os.close(fd)
