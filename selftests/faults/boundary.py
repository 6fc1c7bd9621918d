"""Tools to break `helpers.syscalls`, the boundary between the tests and the kernel."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any, NoReturn

from helpers import procfs, syscalls
from helpers.uapi import GET_INFO_NUMBER, PIDFS_IOCTL_MAGIC, InfoMask, PidfdInfoStruct, PollEvent

Real = Callable[..., Any]
Edit = Callable[[PidfdInfoStruct, InfoMask], None]


def fail(number: int) -> NoReturn:
    """Fail as a system call does."""
    raise OSError(number, os.strerror(number))


def wrap(name: str, broken: Callable[..., Any]) -> None:
    """Put `broken` in the place of one function of `helpers.syscalls`; it is given the real one."""
    real: Real = getattr(syscalls, name)
    setattr(syscalls, name, lambda *args: broken(real, *args))


def swap_errno(name: str, found: int, told: int) -> None:
    """Let a call tell another errno than the kernel's."""

    def broken(real: Real, *args: Any) -> Any:
        try:
            return real(*args)
        except OSError as error:
            if error.errno == found:
                fail(told)
            raise

    wrap(name, broken)


def is_get_info(request: int) -> bool:
    """Whether an ioctl is ``PIDFD_GET_INFO``, of whatever structure size."""
    return request & 0xFFFF == PIDFS_IOCTL_MAGIC << 8 | GET_INFO_NUMBER


def edit_info(edit: Edit) -> None:
    """Change what ``PIDFD_GET_INFO`` answers; `edit` is given the answer and what was asked."""

    def broken(real: Real, fd: int, request: int, argument: int | None = None) -> int:
        if not is_get_info(request) or not argument:
            return int(real(fd, request, argument))
        answer = PidfdInfoStruct.from_address(argument)
        asked = InfoMask(answer.mask)
        result = int(real(fd, request, argument))
        edit(answer, asked)
        return result

    wrap("ioctl", broken)


def target(fd: int) -> int:
    """Pid that a pidfd refers to; 0 if it is another descriptor, -1 once the task is reaped."""
    try:
        with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as file:
            lines = dict(line.split(":", 1) for line in file)
    except (OSError, ValueError):
        return 0
    return int(lines.get("Pid", "0"))


def state(fd: int) -> str | None:
    """State letter of a pidfd's task, None once it is reaped."""
    pid = target(fd)
    return procfs.task_state(pid) if pid > 0 else None


def edit_events(edit: Callable[[int, int], int]) -> None:
    """Change what poll and epoll say; `edit` is given a pidfd and its events, and gives events.

    Sleepers are woken every now and then to be asked again, so that a fault can wake them.
    """
    slice_ms = 5

    def again(wait: Callable[[int], dict[int, int]], fds: set[int], timeout: int) -> dict[int, int]:
        left = timeout
        while True:
            events = wait(slice_ms if left < 0 else min(slice_ms, left))
            events = {**dict.fromkeys(fds, 0), **events}
            told = {fd: edit(fd, found) if target(fd) else found for fd, found in events.items()}
            if any(told.values()) or 0 <= left <= slice_ms:
                return told
            left -= slice_ms

    def poll(real: Real, fds: dict[int, int], timeout_ms: int) -> dict[int, int]:
        return again(lambda ms: real(fds, ms), set(fds), timeout_ms)

    def epoll_wait(real: Real, epoll: Any, timeout_ms: int) -> dict[int, int]:
        with open(f"/proc/self/fdinfo/{epoll.fileno()}", encoding="ascii") as file:
            fds = {int(line.split()[1]) for line in file if line.startswith("tfd:")}
        return {
            fd: ev for fd, ev in again(lambda ms: real(epoll, ms), fds, timeout_ms).items() if ev
        }

    wrap("poll", poll)
    wrap("epoll_wait", epoll_wait)


IN, HUP = int(PollEvent.IN), int(PollEvent.HUP)
ESRCH, EBADF, EINVAL, EPERM = errno.ESRCH, errno.EBADF, errno.EINVAL, errno.EPERM
