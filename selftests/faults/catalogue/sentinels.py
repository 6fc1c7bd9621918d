"""Faults of self sentinels."""

from __future__ import annotations

import os
import signal
import socket
import struct
from typing import Any

from helpers import descriptor_calls, procfs, syscalls
from helpers.uapi import (
    P_PIDFD,
    PIDFD_SELF_THREAD,
    PIDFD_SELF_THREAD_GROUP,
    PIDFD_SELF_THREAD_GROUP_V6_15,
    PollEvent,
    SignalFlag,
)
from selftests.faults import boundary
from selftests.faults.boundary import EBADF, ENOTDIR, ESRCH, Real
from selftests.faults.registry import breaks, fault

_TAKERS = ("pidfd_send_signal", "process_madvise", "process_mrelease")
_SENTINELS = (PIDFD_SELF_THREAD, PIDFD_SELF_THREAD_GROUP)


@breaks(*_TAKERS)
def thread_sentinel_unknown(real: Real, number: int, *args: Any) -> Any:
    """Every call that takes a sentinel takes PIDFD_SELF_THREAD."""
    return boundary.fail(EBADF) if number == PIDFD_SELF_THREAD else real(number, *args)


@breaks(*_TAKERS)
def group_sentinel_unknown(real: Real, number: int, *args: Any) -> Any:
    """Every call that takes a sentinel takes PIDFD_SELF_THREAD_GROUP."""
    group = (PIDFD_SELF_THREAD_GROUP, PIDFD_SELF_THREAD_GROUP_V6_15)
    return boundary.fail(EBADF) if number in group else real(number, *args)


@breaks("process_madvise", "process_mrelease")
def sentinels_are_for_signals_only(real: Real, number: int, *args: Any) -> Any:
    """The calls of memory take the same sentinels."""
    return boundary.fail(EBADF) if number in _SENTINELS else real(number, *args)


@breaks(*_TAKERS)
def both_numbers_of_the_group_taken(real: Real, number: int, *args: Any) -> Any:
    """PIDFD_SELF_THREAD_GROUP has one number."""
    old = number == PIDFD_SELF_THREAD_GROUP_V6_15
    return real(PIDFD_SELF_THREAD_GROUP if old else number, *args)


@breaks(*_TAKERS)
def every_negative_number_is_the_caller(real: Real, number: int, *args: Any) -> Any:
    """Numbers beside the sentinels are no descriptors."""
    return real(PIDFD_SELF_THREAD if number < 0 else number, *args)


@breaks(*_TAKERS)
def sentinel_is_a_long(real: Real, number: int, *args: Any) -> Any:
    """A sentinel counts as an int."""
    return boundary.fail(EBADF) if number >> 31 > 0 else real(number, *args)


@breaks("pidfd_send_signal", kills=True)
def thread_sentinel_is_the_group(
    real: Real, number: int, sent: int, info: Any = None, flags: int = 0
) -> None:
    """PIDFD_SELF_THREAD is the calling thread and no other."""
    real(PIDFD_SELF_THREAD_GROUP if number == PIDFD_SELF_THREAD else number, sent, info, flags)


@breaks(*_TAKERS, waits="the end of")
def group_sentinel_is_the_thread(real: Real, number: int, *args: Any) -> Any:
    """PIDFD_SELF_THREAD_GROUP is the whole thread group, and as a thread its leader."""
    return real(PIDFD_SELF_THREAD if number == PIDFD_SELF_THREAD_GROUP else number, *args)


@breaks("pidfd_send_signal")
def sentinel_is_the_parent(
    real: Real, number: int, sent: int, info: Any = None, flags: int = 0
) -> None:
    """A sentinel is looked up at the call."""
    parent = os.getppid()
    blocked = procfs.signal_set(procfs.status(parent)["SigBlk"]) if parent else set()
    if number in _SENTINELS and sent == signal.SIGUSR1 and sent in blocked:
        os.kill(parent, sent)
    else:
        real(number, sent, info, flags)


@breaks("pidfd_send_signal")
def sentinels_end_with_the_leader(
    real: Real, number: int, sent: int, info: Any = None, flags: int = 0
) -> None:
    """Sentinels go on working when the leader has exited alone."""
    if number in _SENTINELS and procfs.task_state(os.getpid()) == "Z":
        boundary.fail(ESRCH)
    real(number, sent, info, flags)


@breaks("process_madvise")
def advice_is_not_carried_out(
    real: Real, pidfd: int, address: int, length: int, advice: int, flags: int = 0
) -> int:
    """Advice to oneself is carried out."""
    return length


@fault(waits=" namespace ")
def namespace_is_kept() -> None:
    """What a task is kept in is freed with it, and its namespaces can go."""
    refused: list[int] = []

    def broken(real: Real, flags: int, exit_signal: int) -> int:
        if refused:
            boundary.fail(refused[0])
        try:
            return int(real(flags, exit_signal))
        except OSError as error:
            refused.append(error.errno or 0)
            raise

    boundary.wrap("fork_with", broken)


@breaks("pidfd_getfd", "ioctl", "setns")
def sentinel_is_a_pidfd_for_every_call(real: Real, number: int, *args: Any) -> Any:
    """A sentinel is taken by few calls; all others want a descriptor."""
    if number not in _SENTINELS:
        return real(number, *args)
    own = syscalls.pidfd_open(os.getpid())
    try:
        return real(own, *args)
    finally:
        os.close(own)


@breaks("epoll_add")
def sentinel_can_be_watched(real: Real, epoll: int, number: int, events: int) -> None:
    """No epoll instance takes a sentinel."""
    if number not in _SENTINELS:
        real(epoll, number, events)


@breaks("os.dup", "os.fstat")
def sentinel_is_an_open_file(real: Real, number: int) -> Any:
    """A sentinel has no file."""
    return real(0 if number in _SENTINELS else number)


@breaks("os.open")
def sentinel_is_looked_into(real: Real, path: str, *args: Any, **more: Any) -> int:
    """A sentinel is no file to begin a path with."""
    if more.get("dir_fd") in _SENTINELS:
        boundary.fail(ENOTDIR)
    return int(real(path, *args, **more))


@breaks("socket.sendmsg")
def sentinel_can_be_sent(
    real: Real, own: socket.socket, parts: Any, ancillary: Any = (), *rest: Any
) -> int:
    """A sentinel cannot be sent as a descriptor."""
    numbers = {struct.pack("i", number) for number in _SENTINELS}
    kept = [it for it in ancillary if bytes(it[2]) not in numbers]
    return int(real(own, parts, kept, *rest))


@breaks("waitid")
def sentinel_can_be_waited_for(real: Real, kind: int, which: int, options: int) -> Any:
    """A wait takes no sentinel."""
    if kind == P_PIDFD and which in _SENTINELS:
        return real(0, 0, options)
    return real(kind, which, options)


@fault()
def sentinel_is_listed_in_proc() -> None:
    """A sentinel has no entry in /proc."""

    def shown(path: str) -> str:
        number = path.rpartition("/")[2]
        return "/proc/self/fd/0" if number in map(str, _SENTINELS) else path

    boundary.replace(descriptor_calls, "open", lambda path, *args: open(shown(path), *args))
    boundary.wrap("os.readlink", lambda real, path: real(shown(path)))


@breaks("poll")
def sentinel_is_polled(real: Real, fds: dict[int, int], timeout_ms: int) -> dict[int, int]:
    """A poll passes over negative numbers."""
    found = real(fds, timeout_ms)
    return {fd: int(PollEvent.NVAL) if fd < 0 else events for fd, events in found.items()}


@breaks("pidfd_send_signal")
def thread_flag_is_the_caller(
    real: Real, number: int, sent: int, info: Any = None, flags: int = 0
) -> None:
    """With PIDFD_SIGNAL_THREAD the group sentinel is the leader, not the caller."""
    narrowed = flags == SignalFlag.THREAD and number == PIDFD_SELF_THREAD_GROUP
    real(PIDFD_SELF_THREAD if narrowed else number, sent, info, flags)
