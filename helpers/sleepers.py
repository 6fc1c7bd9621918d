"""Threads of a child that are asleep in a system call before its cause is triggered."""

from __future__ import annotations

import os

from helpers import procfs, reaping, syscalls
from helpers.deadline import wait_until
from helpers.info import Waited
from helpers.pidfd import Pidfd
from helpers.thread import Order, Thread
from helpers.uapi import P_PIDFD, UINT_MAX, WaitOption


def begin_poll(poller: Thread, pidfd: Pidfd) -> Order:
    """Let `poller` poll `pidfd`; return when it is asleep in the call, or has its answer."""
    # For ever: when its time is up poll(2) looks once more, which would hide a lost wake-up.
    order = poller.begin(Pidfd.poll, pidfd, -1)
    return _asleep(poller, order, syscalls.SLEEPING_IN_POLL)


def begin_waitid(waiter: Thread, pidfd: Pidfd, options: int) -> Order:
    """Let `waiter` wait for a child; return when it is asleep in the call, or has its answer."""
    order = waiter.begin(Pidfd.waitid, pidfd, options)
    return _asleep(waiter, order, syscalls.SLEEPING_IN_WAITID)


def begin_waitid_without(waiter: Thread, closer: Thread, pid: int) -> Order:
    """Let `waiter` fall asleep over its child `pid`, by a pidfd that `closer` closes then."""
    number = waiter.call(syscalls.pidfd_open, pid)
    order = waiter.begin(syscalls.waitid, P_PIDFD, number, os.WEXITED)
    _asleep(waiter, order, syscalls.SLEEPING_IN_WAITID)
    closer.call(os.close, number)
    return order


def begin_reap(waiter: Thread, pid: int) -> Order:
    """Let `waiter` reap its child by number; return when it is asleep, or has its answer."""
    return _asleep(waiter, waiter.begin(reaping.reap, pid), syscalls.SLEEPING_IN_WAITID)


def waitid_at_once(waiter: Thread, pidfd: Pidfd, options: int) -> os.waitid_result | None:
    """Let `waiter` wait for a child, and fail if it falls asleep over that."""
    order = begin_waitid(waiter, pidfd, options)
    assert order.done(), f"{waiter} sleeps in waitid({pidfd})"
    result: os.waitid_result | None = order.result()
    return result


def await_state(pidfd: Pidfd, options: int) -> Waited:
    """Wait for a child of ours until it has a state to tell."""
    found: list[Waited] = []

    def told() -> bool:
        result = pidfd.waitid(options | os.WNOHANG)
        found.extend([Waited(*result)] if result else [])
        return bool(found)

    words = WaitOption(options & UINT_MAX)
    wait_until(told, f"waitid({words}) by the {pidfd} to tell of the child")
    return found[0]


def _asleep(sleeper: Thread, order: Order, numbers: frozenset[int]) -> Order:
    pid, tid = sleeper.group.pid, sleeper.tid

    def settled() -> bool:
        if order.done():
            return True
        if _tells_syscalls(pid):
            return procfs.current_syscall(pid, tid) in numbers
        # No /proc/PID/syscall here, or not for us: asleep is all that can be told.
        return procfs.task_state(pid, tid) == "S"

    wait_until(settled, f"{sleeper} to fall asleep", state=lambda: f"{procfs.task_state(pid, tid)}")
    return order


def _tells_syscalls(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/syscall", "rb") as file:
            return bool(file.read())
    except OSError:
        return False
