"""What the kernel headers say of rights: capabilities, tracers, Landlock; see `helpers.uapi`."""

from __future__ import annotations

import ctypes

from helpers.uapi import Flags

# include/uapi/linux/capability.h
CAP_SYS_PTRACE = 19
CAP_SYS_NICE = 23
LINUX_CAPABILITY_VERSION_3 = 0x20080522

PTRACE_CONT = 7
"""``include/uapi/linux/ptrace.h``, as all of ptrace here."""
PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
PTRACE_EVENT_EXIT = 6
PTRACE_EVENT_STOP = 128


class TraceOption(Flags):
    """Options of a tracer."""

    NONE = 0
    EXIT = 1 << PTRACE_EVENT_EXIT


class Scope(Flags):
    """What a Landlock domain keeps inside; ``include/uapi/linux/landlock.h``."""

    NONE = 0
    SIGNAL = 1 << 1  # v6.12


LANDLOCK_ACCESS_FS_MAKE_BLOCK = 1 << 11
"""To make block devices, which no test does; v5.13."""


class LandlockRuleset(ctypes.Structure):
    """``struct landlock_ruleset_attr`` as of v6.12; older kernels take it with zeros behind."""

    _fields_ = [
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    ]
