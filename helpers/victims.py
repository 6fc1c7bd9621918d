"""Short-lived tasks for races: made in microseconds, since no Python and no copy is in them.

They share the memory of their maker and call one function of libc on a stack of their own. None
outlives its maker by more than `LONGEST` seconds.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal

from helpers import syscalls_clone
from helpers.pidfd import Pidfd
from helpers.uapi import P_PID, WALL, CloneFlag

LONGEST = 60
STATUS = 3
"""Exit status of a victim that ends by itself."""

_STACK_SIZE = 1 << 16
_THREAD = CloneFlag.VM | CloneFlag.FS | CloneFlag.FILES | CloneFlag.SIGHAND | CloneFlag.THREAD


class Stack:
    """Memory for one victim at a time."""

    def __init__(self) -> None:
        """Map it; it stays mapped."""
        pages = mmap.mmap(-1, _STACK_SIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._pages = pages
        self._top = ctypes.addressof(ctypes.c_char.from_buffer(pages)) + _STACK_SIZE

    def exits(self) -> int:
        """A child process that exits at once with `STATUS`; gives its pid."""
        return self._process("_exit", STATUS)

    def sleeps(self, flags: CloneFlag = CloneFlag.NONE) -> int:
        """A child process that waits to be killed; gives its pid."""
        return self._process("sleep", LONGEST, flags)

    def thread(self, microseconds: int) -> tuple[int, int]:
        """A thread of the caller that exits with status 0 after a while; its tid and pidfd."""
        return syscalls_clone.start("usleep", microseconds, _THREAD | CloneFlag.PIDFD, self._top)

    def sleeping_thread(self) -> int:
        """A thread of the caller that outlives it; its tid."""
        return syscalls_clone.start("sleep", LONGEST, _THREAD, self._top)[0]

    def _process(self, entry: str, argument: int, flags: CloneFlag = CloneFlag.NONE) -> int:
        flags |= CloneFlag.VM
        return syscalls_clone.start(entry, argument, flags, self._top, signal.SIGCHLD)[0]


_kept: list[Stack] = []


def sleep_in_same_memory() -> Pidfd:
    """A child process of the caller that shares its memory, and waits to be killed."""
    _kept.append(Stack())
    return Pidfd.open(_kept[-1].sleeps(), role="sharer")


def choose_next_pid(pid: int) -> None:
    """Let the next task of the caller's pid namespace have this pid, if it is free."""
    # v3.3 with CONFIG_CHECKPOINT_RESTORE; the namespace is the writer's, whatever /proc shows.
    with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as file:
        file.write(str(pid - 1))


def await_zombie(pid: int) -> None:
    """Wait until a child has ended and do not reap it."""
    os.waitid(P_PID, pid, os.WEXITED | os.WNOWAIT | WALL)
