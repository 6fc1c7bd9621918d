"""What a fault has to know of the pidfds and tasks that it meets."""

from __future__ import annotations

import fcntl
import os

from helpers import procfs, syscalls, syscalls_clone
from helpers.uapi import PidfdFlag


def _pids(fd: int, field: bytes) -> list[int]:
    try:
        # Not as text: a child that has changed its user may be unable to load a codec.
        with open(f"/proc/self/fdinfo/{fd}", "rb") as file:
            lines = dict(line.split(b":", 1) for line in file)
    except (OSError, ValueError):
        return []
    return list(map(int, lines.get(field, b"").split()))


def target(fd: int) -> int:
    """Pid that a pidfd refers to; 0 if it is another descriptor, -1 once the task is reaped."""
    return (_pids(fd, b"Pid") or [0])[0]


def nested(fd: int) -> list[int]:
    """The pids of a pidfd's task, from our namespace downwards."""
    return _pids(fd, b"NSpid")


def state(fd: int) -> str | None:
    """State letter of a pidfd's task, None once it is reaped."""
    pid = target(fd)
    return procfs.task_state(pid) if pid > 0 else None


def leader_of(fd: int) -> int:
    """The pid of the process that a pidfd's task belongs to, 0 once it is gone."""
    return field_of(target(fd), "Tgid")


def field_of(pid: int, name: str) -> int:
    """A number in the status of a process, 0 where there is none."""
    try:
        return int(procfs.status(pid)[name].split()[-1]) if pid > 0 else 0
    except (OSError, KeyError):
        return 0


def status_flags(fd: int) -> int:
    """The status flags of a descriptor, 0 if it is not open."""
    try:
        return fcntl.fcntl(fd, fcntl.F_GETFL)
    except OSError:
        return 0


def is_of_thread(fd: int) -> bool:
    """Whether a pidfd is of thread scope."""
    return bool(status_flags(fd) & PidfdFlag.THREAD)


def nonblocking(fd: int) -> bool:
    """Whether a descriptor is in nonblocking mode."""
    return bool(status_flags(fd) & os.O_NONBLOCK)


def add_status_flag(fd: int, flag: int) -> int:
    """Set a status flag of a descriptor; gives the descriptor."""
    fcntl.fcntl(fd, fcntl.F_SETFL, status_flags(fd) | flag)
    return fd


def kept_on_exec(fd: int) -> int:
    """Take FD_CLOEXEC from a descriptor; gives the descriptor."""
    os.set_inheritable(fd, True)
    return fd


def of_another() -> int:
    """A pidfd of a task that no test knows: one that is reaped, and takes no signals."""
    pid = syscalls_clone.fork_with(0, 17)
    if not pid:
        os._exit(0)
    fd = syscalls.syscall(syscalls.NR_PIDFD_OPEN, pid, 0)
    os.waitpid(pid, 0)
    return fd


def is_of_user(fd: int, user: int) -> bool:
    """Whether a pidfd's task has `user` as its effective user id."""
    pid = target(fd)
    return pid > 0 and procfs.ids(pid)[0].effective == user


def unprivileged() -> bool:
    """Whether the calling thread has no capability."""
    return int(procfs.status("thread-self")["CapEff"], 16) == 0


def in_inner_namespace() -> bool:
    """Whether the calling process has a number in a pid namespace below that of /proc."""
    return len(procfs.status("self")["NSpid"].split()) > 1
