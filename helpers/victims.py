"""Short-lived tasks for races: made in microseconds, since no Python and no copy is in them.

They share the memory of their maker and run one function, of libc or of some bytes of machine code,
on a stack of their own. One that waits dies with its maker; where the code for that is not written,
or may not be run, it outlives it by `LONGEST` seconds at most.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import os
import signal

from helpers import syscalls_clone
from helpers.pidfd import Pidfd
from helpers.uapi import ABI, P_PID, WALL, CloneFlag

LONGEST = 60
STATUS = 3
"""Exit status of a victim that ends by itself."""

# prctl(PR_SET_PDEATHSIG, SIGKILL); if (getppid() == argument) nanosleep({60, 0}, NULL); exit(0);
_WAIT = {
    "x86_64": (
        "89fb"  # mov ebx, edi
        "6a015f6a095e"  # push 1; pop rdi; push 9; pop rsi
        "b89d0000000f05"  # mov eax, 157; syscall (prctl)
        "6a6e580f05"  # push 110; pop rax; syscall (getppid)
        "39d8750e"  # cmp eax, ebx; jne end
        "6a006a3c4889e7"  # push 0; push 60; mov rdi, rsp
        "31f66a23580f05"  # xor esi, esi; push 35; pop rax; syscall (nanosleep)
        "31ff6a3c580f05"  # end: xor edi, edi; push 60; pop rax; syscall (exit)
    ),
    "i386": (
        "8b742404"  # mov esi, [esp + 4]
        "6a015b6a0959"  # push 1; pop ebx; push 9; pop ecx
        "b8ac000000cd80"  # mov eax, 172; int 0x80 (prctl)
        "6a4058cd80"  # push 64; pop eax; int 0x80 (getppid)
        "39f0750f"  # cmp eax, esi; jne end
        "6a006a3c89e3"  # push 0; push 60; mov ebx, esp
        "31c9b8a2000000cd80"  # xor ecx, ecx; mov eax, 162; int 0x80 (nanosleep)
        "31db6a0158cd80"  # end: xor ebx, ebx; push 1; pop eax; int 0x80 (exit)
    ),
}
_STACK_SIZE = 1 << 16
_THREAD = CloneFlag.VM | CloneFlag.FS | CloneFlag.FILES | CloneFlag.SIGHAND | CloneFlag.THREAD


_kept: list[object] = []  # what must stay mapped


class Stack:
    """Memory for one victim at a time."""

    def __init__(self) -> None:
        """Map it; it stays mapped."""
        pages = mmap.mmap(-1, _STACK_SIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._pages = pages
        self._top = ctypes.addressof(ctypes.c_char.from_buffer(pages)) + _STACK_SIZE

    def exits(self) -> int:
        """A child process that exits at once with `STATUS`; gives its pid."""
        return self._process("_exit", STATUS, CloneFlag.NONE)

    def sleeps(self, flags: CloneFlag = CloneFlag.NONE) -> int:
        """A child process that waits to be killed; gives its pid."""
        # From a new pid namespace nothing of its maker is to be seen.
        parent = 0 if flags & CloneFlag.NEWPID else os.getpid()
        return self._process(*_waiting(parent), flags)

    def thread(self, microseconds: int) -> tuple[int, int]:
        """A thread of the caller that exits with status 0 after a while; its tid and pidfd."""
        return syscalls_clone.start("usleep", microseconds, _THREAD | CloneFlag.PIDFD, self._top)

    def sleeping_thread(self) -> int:
        """A thread of the caller that outlives it; its tid."""
        return syscalls_clone.start(*_waiting(os.getppid()), _THREAD, self._top)[0]

    def _process(self, entry: str | int, argument: int, flags: CloneFlag) -> int:
        flags |= CloneFlag.VM
        return syscalls_clone.start(entry, argument, flags, self._top, signal.SIGCHLD)[0]


def _waiting(parent: int) -> tuple[str | int, int]:
    """A function that waits to be killed as long as it has this parent, and its argument."""
    code = _wait()
    return ("sleep", LONGEST) if code is None else (code, parent)


@functools.cache
def _wait() -> int | None:
    """The address of the code; None where there is none, or a security module forbids it."""
    if ABI not in _WAIT:
        return None
    try:
        pages = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:
        return None
    pages.write(bytes.fromhex(_WAIT[ABI]))
    _kept.append(pages)
    return ctypes.addressof(ctypes.c_char.from_buffer(pages))


def sleep_in_same_memory() -> Pidfd:
    """A child process of the caller that shares its memory, and waits to be killed."""
    stack = Stack()
    _kept.append(stack)
    return Pidfd.open(stack.sleeps(), role="sharer")


def choose_next_pid(pid: int) -> None:
    """Let the next task of the caller's pid namespace have this pid, if it is free."""
    # v3.3 with CONFIG_CHECKPOINT_RESTORE; the namespace is the writer's, whatever /proc shows.
    with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as file:
        file.write(str(pid - 1))


def await_zombie(pid: int) -> None:
    """Wait until a child has ended and do not reap it."""
    os.waitid(P_PID, pid, os.WEXITED | os.WNOWAIT | WALL)
