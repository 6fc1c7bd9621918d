"""Names, numbers and structures of the kernel headers, with the version that brought each.

Unless said otherwise a name comes from ``include/uapi/linux/pidfd.h``. Where a number differs
between architectures it is computed here, never pasted.
"""

from __future__ import annotations

import ctypes
import os
from enum import IntFlag

MACHINE = os.uname().machine
IS_64BIT = ctypes.sizeof(ctypes.c_void_p) == 8
"""The word size of this interpreter, which a 64-bit kernel's may differ from."""
_32BIT = {
    **dict.fromkeys(("x86_64", "i386", "i486", "i586", "i686"), "i386"),
    "aarch64": "arm",
    "riscv64": "riscv32",
}
ABI = MACHINE if IS_64BIT else _32BIT.get(MACHINE, "arm" if MACHINE.startswith("arm") else MACHINE)
"""Whose system calls this interpreter makes: of a 32-bit one on a 64-bit kernel, 32-bit ones."""


class Flags(IntFlag):
    """An ``IntFlag`` that prints as ``A|B`` on every Python version, unknown bits in hex."""

    def __str__(self) -> str:
        named = [member for member in type(self) if member and member in self]
        unknown = int(self)
        for member in named:
            unknown &= ~int(member)
        words = [str(member.name) for member in named] + ([hex(unknown)] if unknown else [])
        return "|".join(words) or "NONE"

    __repr__ = __str__


class PidfdFlag(Flags):
    """Flags of ``pidfd_open(2)``."""

    NONE = 0
    NONBLOCK = os.O_NONBLOCK  # v5.10
    THREAD = os.O_EXCL  # v6.9


class StatusFlag(Flags):
    """What F_GETFL and fdinfo show of a pidfd, which keeps its scope in ``O_EXCL``."""

    NONE = 0  # O_RDONLY
    WRONLY = os.O_WRONLY
    RDWR = os.O_RDWR
    APPEND = os.O_APPEND
    NONBLOCK = os.O_NONBLOCK
    CLOEXEC = os.O_CLOEXEC
    PIDFD_THREAD = os.O_EXCL  # v6.9


class SignalFlag(Flags):
    """Scope flags of ``pidfd_send_signal(2)``, v6.9."""

    NONE = 0
    THREAD = 1 << 0
    THREAD_GROUP = 1 << 1
    PROCESS_GROUP = 1 << 2


class InfoMask(Flags):
    """What ``PIDFD_GET_INFO`` was asked for, and what it answered."""

    NONE = 0
    PID = 1 << 0  # v6.13
    CREDS = 1 << 1  # v6.13
    CGROUPID = 1 << 2  # v6.13
    EXIT = 1 << 3  # v6.15
    COREDUMP = 1 << 4  # v6.16
    SUPPORTED_MASK = 1 << 5  # v6.19
    COREDUMP_SIGNAL = 1 << 6  # v6.19
    COREDUMP_CODE = 1 << 7  # v7.1


class CoredumpMask(Flags):
    """``pidfd_info.coredump_mask``, v6.16."""

    NONE = 0
    COREDUMPED = 1 << 0
    SKIP = 1 << 1
    USER = 1 << 2
    ROOT = 1 << 3


class PollEvent(Flags):
    """Events of ``poll(2)``; ``include/uapi/asm-generic/poll.h``."""

    NONE = 0
    IN = 0x001
    PRI = 0x002
    OUT = 0x004
    ERR = 0x008
    HUP = 0x010
    NVAL = 0x020
    RDNORM = 0x040


class CloneFlag(Flags):
    """Flags of ``clone(2)``; ``include/uapi/linux/sched.h``."""

    NONE = 0
    VM = 0x00000100
    FS = 0x00000200
    FILES = 0x00000400
    SIGHAND = 0x00000800
    PIDFD = 0x00001000  # v5.2
    PTRACE = 0x00002000
    VFORK = 0x00004000
    PARENT = 0x00008000
    THREAD = 0x00010000
    NEWNS = 0x00020000
    SYSVSEM = 0x00040000
    SETTLS = 0x00080000
    PARENT_SETTID = 0x00100000
    CHILD_CLEARTID = 0x00200000
    DETACHED = 0x00400000
    UNTRACED = 0x00800000
    CHILD_SETTID = 0x01000000
    NEWCGROUP = 0x02000000
    NEWUTS = 0x04000000
    NEWIPC = 0x08000000
    NEWUSER = 0x10000000
    NEWPID = 0x20000000
    NEWNET = 0x40000000
    IO = 0x80000000
    NEWTIME = 0x00000080  # clone3 and unshare only
    # clone3 only
    CLEAR_SIGHAND = 1 << 32  # v5.5
    INTO_CGROUP = 1 << 33  # v5.7
    AUTOREAP = 1 << 34  # v7.1
    NNP = 1 << 35  # v7.1
    PIDFD_AUTOKILL = 1 << 36  # v7.1


PIDFD_SELF_THREAD = -10000
"""The calling thread, in place of a descriptor; v6.15."""

PIDFD_SELF_THREAD_GROUP = -10001
"""The caller's thread group, since v6.17 (``include/uapi/linux/fcntl.h``)."""

PIDFD_SELF_THREAD_GROUP_V6_15 = -20000
"""The caller's thread group on v6.15 and v6.16, before the number moved."""

FD_PIDFS_ROOT = -10002
"""The root of pidfs for ``open_by_handle_at(2)``; v6.17."""

AT_FDCWD = -100

# `_IOC` packs direction, size, type and number; four architectures keep older field widths
# (arch/{mips,powerpc,sparc,alpha}/include/uapi/asm/ioctl.h).
_OLD_IOC = MACHINE.startswith(("mips", "ppc", "sparc", "alpha"))
_IOC_SIZEBITS = 13 if _OLD_IOC else 14
_IOC_NONE, _IOC_READ, _IOC_WRITE = (1, 2, 4) if _OLD_IOC else (0, 2, 1)


def _ioc(direction: int, kind: int, number: int, size: int) -> int:
    return direction << (16 + _IOC_SIZEBITS) | size << 16 | kind << 8 | number


def ioctl_none(kind: int, number: int) -> int:
    """``_IO(kind, number)`` of ``include/uapi/asm-generic/ioctl.h``."""
    return _ioc(_IOC_NONE, kind, number, 0)


def ioctl_read(kind: int, number: int, size: int) -> int:
    """``_IOR(kind, number, ...)`` for an argument of `size` bytes."""
    return _ioc(_IOC_READ, kind, number, size)


def ioctl_read_write(kind: int, number: int, size: int) -> int:
    """``_IOWR(kind, number, ...)`` for an argument of `size` bytes."""
    return _ioc(_IOC_READ | _IOC_WRITE, kind, number, size)


PIDFS_IOCTL_MAGIC = 0xFF
GET_INFO_NUMBER = 11


class PidfdInfoStruct(ctypes.Structure):
    """``struct pidfd_info`` as of v7.1; older kernels fill a prefix of it."""

    _fields_ = [
        ("mask", ctypes.c_uint64),
        ("cgroupid", ctypes.c_uint64),
        ("pid", ctypes.c_uint32),
        ("tgid", ctypes.c_uint32),
        ("ppid", ctypes.c_uint32),
        ("ruid", ctypes.c_uint32),
        ("rgid", ctypes.c_uint32),
        ("euid", ctypes.c_uint32),
        ("egid", ctypes.c_uint32),
        ("suid", ctypes.c_uint32),
        ("sgid", ctypes.c_uint32),
        ("fsuid", ctypes.c_uint32),
        ("fsgid", ctypes.c_uint32),
        ("exit_code", ctypes.c_int32),
        ("coredump_mask", ctypes.c_uint32),
        ("coredump_signal", ctypes.c_uint32),
        ("coredump_code", ctypes.c_uint32),
        ("coredump_pad", ctypes.c_uint32),
        ("supported_mask", ctypes.c_uint64),
    ]


PIDFD_INFO_SIZE_VER0 = 64  # v6.13, identity to exit_code
PIDFD_INFO_SIZE_VER1 = 72  # v6.16, coredump_mask
PIDFD_INFO_SIZE_VER2 = 80  # v6.19, supported_mask, where coredump_code and its pad are now
PIDFD_INFO_SIZE_VER3 = 88  # v7.1, coredump_code

assert ctypes.sizeof(PidfdInfoStruct) == PIDFD_INFO_SIZE_VER3
assert PidfdInfoStruct.coredump_mask.offset == PIDFD_INFO_SIZE_VER0
assert PidfdInfoStruct.supported_mask.offset == PIDFD_INFO_SIZE_VER2


def pidfd_get_info(size: int = PIDFD_INFO_SIZE_VER3) -> int:
    """The number of ``PIDFD_GET_INFO`` for a caller whose structure has `size` bytes."""
    return ioctl_read_write(PIDFS_IOCTL_MAGIC, GET_INFO_NUMBER, size)


SI_KERNEL = 0x80
SI_USER = 0
SI_QUEUE = -1
SI_ASYNCIO = -4
SI_TKILL = -6
SEGV_MAPERR = 1


INT_MIN, INT_MAX, UINT_MAX = -(1 << 31), (1 << 31) - 1, (1 << 32) - 1
"""Of a C int, and of an unsigned one; ``include/vdso/limits.h``."""

PID_MAX_LIMIT = 1 << 22
"""No process has this number or a higher one; ``include/linux/threads.h``."""

P_PID = 1
P_PIDFD = 3  # v5.4
WALL = 0x40000000
"""``__WALL``: wait for children of every exit signal, those that send none included."""
WCLONE = 0x80000000 - (1 << 32)
"""``__WCLONE``: wait only for children whose exit signal is not SIGCHLD."""
WNOTHREAD = 0x20000000
"""``__WNOTHREAD``: wait only for children of the calling thread."""


class WaitOption(Flags):
    """Options of ``waitid(2)``; ``include/uapi/linux/wait.h``."""

    NONE = 0
    WNOHANG = os.WNOHANG
    WSTOPPED = os.WSTOPPED
    WEXITED = os.WEXITED
    WCONTINUED = os.WCONTINUED
    WNOWAIT = os.WNOWAIT
    WNOTHREAD = WNOTHREAD
    WALL = WALL
    WCLONE = 0x80000000


PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_SET_PTRACER, PR_SET_PTRACER_ANY = 0x59616D61, -1

SA_NOCLDWAIT = 0x10000 if MACHINE.startswith("mips") else 2
"""Ended children leave no zombie; ``include/uapi/asm-generic/signal-defs.h``."""

MADV_COLD = 20
MADV_PAGEOUT = 21
