"""Structures of the kernel headers that calls take; see `helpers.uapi`."""

from __future__ import annotations

import ctypes

from helpers.uapi import MACHINE


class Iovec(ctypes.Structure):
    """``struct iovec`` of ``include/uapi/linux/uio.h``."""

    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class PollFd(ctypes.Structure):
    """``struct pollfd`` of ``include/uapi/asm-generic/poll.h``."""

    _fields_ = [("fd", ctypes.c_int), ("events", ctypes.c_short), ("revents", ctypes.c_short)]


SIGINFO_SIZE = 128


class Siginfo(ctypes.Structure):
    """The head of ``siginfo_t`` (``include/uapi/asm-generic/siginfo.h``), ``_rt`` branch."""

    class _Head(ctypes.Structure):
        # MIPS has si_code before si_errno.
        _fields_ = (
            [("signo", ctypes.c_int), ("code", ctypes.c_int), ("errno", ctypes.c_int)]
            if MACHINE.startswith("mips")
            else [("signo", ctypes.c_int), ("errno", ctypes.c_int), ("code", ctypes.c_int)]
        )

    class _Rt(ctypes.Structure):
        _fields_ = [("pid", ctypes.c_int), ("uid", ctypes.c_uint32), ("value", ctypes.c_void_p)]

    _anonymous_ = ("head", "rt")
    _fields_ = [
        ("head", _Head),
        ("rt", _Rt),
        ("pad", ctypes.c_byte * (SIGINFO_SIZE - 16 - 2 * ctypes.sizeof(ctypes.c_void_p))),
    ]


assert ctypes.sizeof(Siginfo) == SIGINFO_SIZE


class CloneArgs(ctypes.Structure):
    """``struct clone_args`` as of v5.7; ``include/uapi/linux/sched.h``."""

    _fields_ = [
        (name, ctypes.c_uint64)
        for name in (
            "flags",
            "pidfd",
            "child_tid",
            "parent_tid",
            "exit_signal",
            "stack",
            "stack_size",
            "tls",
            "set_tid",
            "set_tid_size",
            "cgroup",
        )
    ]
