"""Processes and threads made with CLONE_PIDFD, by orders to a child.

What is made here runs no test code: a process pauses or exits at once, a thread sleeps in libc's
``pause``. All of it dies with its maker.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import mmap
import os
import resource
import signal
from enum import Enum
from typing import NamedTuple, NoReturn

from helpers import agent, procfs, syscalls_clone
from helpers.deadline import wait_until
from helpers.pidfd import Pidfd
from helpers.uapi import CloneFlag, PidfdFlag
from helpers.uapi_structs import CloneArgs

_STACK_SIZE = 1 << 17
_THREAD = CloneFlag.VM | CloneFlag.FS | CloneFlag.FILES | CloneFlag.SIGHAND | CloneFlag.THREAD
_stacks: list[mmap.mmap] = []


class Call(Enum):
    """The system call by which a task is made."""

    CLONE = "clone"
    CLONE3 = "clone3"


class Made(NamedTuple):
    """A new task: its id, its pidfd, and what only the maker can see of that descriptor."""

    tid: int
    pidfd: Pidfd
    closes_on_exec: bool
    parent_tid: int = 0
    """What CLONE_PARENT_SETTID stored, where ``clone3`` gives it an address of its own."""


def process(
    call: Call,
    flags: CloneFlag = CloneFlag.PIDFD,
    status: int | None = None,
    exit_signal: int = signal.SIGCHLD,
) -> Made:
    """A process that exits with `status` at once, or for None pauses."""
    maker = os.getpid()
    tid = ctypes.c_int(0)
    if call is Call.CLONE:
        pid, fd = syscalls_clone.fork_with_pidfd(flags, exit_signal)
    else:
        slot = ctypes.c_int(-1)
        args = CloneArgs(flags=flags, exit_signal=exit_signal, pidfd=ctypes.addressof(slot))
        if CloneFlag.PARENT_SETTID in flags:
            args.parent_tid = ctypes.addressof(tid)
        pid, fd = syscalls_clone.clone3(args), slot.value
    if pid == 0:
        _live(maker, status)
    return _made(pid, fd, tid.value)


def process_with_one_address(flags: CloneFlag = CloneFlag.NONE) -> Made:
    """Ask ``clone3`` to store the pidfd and the tid at the same address."""
    maker = os.getpid()
    slot = ctypes.c_int(-1)
    args = CloneArgs(
        flags=flags | CloneFlag.PIDFD | CloneFlag.PARENT_SETTID,
        exit_signal=signal.SIGCHLD,
        pidfd=ctypes.addressof(slot),
        parent_tid=ctypes.addressof(slot),
    )
    pid = syscalls_clone.clone3(args)
    if pid == 0:
        _live(maker, None)
    return _made(pid, slot.value)


def process_without_address() -> None:
    """Ask ``clone3`` for a pidfd and give no address to store it at."""
    maker = os.getpid()
    pid = syscalls_clone.clone3(CloneArgs(flags=CloneFlag.PIDFD, exit_signal=signal.SIGCHLD))
    if pid == 0:
        _live(maker, None)


def process_into_no_cgroup(
    flags: CloneFlag = CloneFlag.PIDFD, exit_signal: int = signal.SIGCHLD
) -> None:
    """Ask ``clone3`` for a process in a cgroup, and give a descriptor that is of none."""
    maker = os.getpid()
    slot = ctypes.c_int(-1)
    number = os.memfd_create("no cgroup")
    try:
        args = CloneArgs(flags=flags | CloneFlag.INTO_CGROUP, exit_signal=exit_signal)
        args.pidfd, args.cgroup = ctypes.addressof(slot), number
        pid = syscalls_clone.clone3(args)
    finally:
        os.close(number)
    if pid == 0:
        _live(maker, None)


def process_in_full_table(call: Call) -> Made:
    """Ask for a process and its pidfd when no descriptor is free."""
    used = max(map(int, os.listdir("/proc/self/fd"))) + 1
    fillers = []
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (used, limits[1]))
    try:
        with contextlib.suppress(OSError):
            while True:
                fillers.append(os.dup(0))
        return process(call)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for filler in fillers:
            os.close(filler)


def process_with_pid(pid: int) -> Made:
    """A pausing process of this number, by ``clone_args.set_tid``; v5.5."""
    maker = os.getpid()
    slot = ctypes.c_int(-1)
    wanted = (ctypes.c_int * 1)(pid)
    args = CloneArgs(
        flags=CloneFlag.PIDFD,
        exit_signal=signal.SIGCHLD,
        pidfd=ctypes.addressof(slot),
        set_tid=ctypes.addressof(wanted),
        set_tid_size=1,
    )
    made = syscalls_clone.clone3(args)
    if made == 0:
        _live(maker, None)
    return _made(made, slot.value)


def thread(flags: CloneFlag = CloneFlag.PIDFD) -> Made:
    """A thread of the caller, which must be the only one; SIGUSR1 ends it alone, with status 255.

    It is none of libc's or Python's threads and runs neither's code, so that no state of theirs
    has to be made for it. A signal that it lets in makes ``pause`` return, and a thread that
    libc's ``clone`` started exits with what its function returns, here -1.
    """
    top = _stack_top()
    signal.signal(signal.SIGUSR1, _return_from_pause)
    before = signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals() - {signal.SIGUSR1})
    try:
        tid, fd = syscalls_clone.start("pause", 0, _THREAD | flags, top)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before | {signal.SIGUSR1})
    # A signal that comes before the thread sleeps would be over when it does.
    asleep = functools.partial(procfs.task_state, os.getpid(), tid)
    wait_until(
        lambda: asleep() == "S", "the new thread to fall asleep", state=lambda: f"{asleep()}"
    )
    return _made(tid, fd)


def thread_without_pidfd() -> None:
    """A thread that pauses for as long as the caller lives; see `thread`."""
    syscalls_clone.start("pause", 0, _THREAD, _stack_top())


def _stack_top() -> int:
    stack = mmap.mmap(-1, _STACK_SIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    _stacks.append(stack)
    return ctypes.addressof(ctypes.c_char.from_buffer(stack)) + _STACK_SIZE


def _return_from_pause(number: int, frame: object) -> None:
    """A signal without a handler would not make ``pause`` return."""


def _made(tid: int, fd: int, parent_tid: int = 0) -> Made:
    pidfd = Pidfd(fd, "clone's", tid)
    pidfd.flags = PidfdFlag(pidfd.status_flags) & PidfdFlag.THREAD
    return Made(tid, pidfd, pidfd.closes_on_exec, parent_tid)


def _live(maker: int, status: int | None) -> NoReturn:
    if status is not None:
        os._exit(status)
    agent.be_child(agent.pause, maker)
