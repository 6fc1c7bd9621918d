"""Faults of ``pidfd_open(2)``."""

from __future__ import annotations

import errno
import os

from helpers import procfs
from helpers.uapi import PidfdFlag
from selftests.faults import boundary, pidfds
from selftests.faults.boundary import Real
from selftests.faults.registry import breaks, fault

_KNOWN = int(PidfdFlag.NONBLOCK | PidfdFlag.THREAD)


@breaks("pidfd_open")
def pidfd_kept_on_exec(real: Real, pid: int, flags: int = 0) -> int:
    """FD_CLOEXEC is always set."""
    return pidfds.kept_on_exec(real(pid, flags))


@breaks("pidfd_open")
def status_flag_of_nobodys_asking(real: Real, pid: int, flags: int = 0) -> int:
    """F_GETFL tells the flags of pidfd_open and nothing else."""
    return pidfds.add_status_flag(real(pid, flags), os.O_APPEND)


@breaks("pidfd_open")
def nonblock_forgotten(real: Real, pid: int, flags: int = 0) -> int:
    """PIDFD_NONBLOCK is kept."""
    return int(real(pid, flags & ~PidfdFlag.NONBLOCK))


@breaks("pidfd_open")
def subthread_opened_as_a_process(real: Real, pid: int, flags: int = 0) -> int:
    """Without PIDFD_THREAD the id must be a leader's."""
    try:
        return int(real(pid, flags))
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.EINVAL) or pid <= 0 or flags & ~_KNOWN:
            raise
        return int(real(pid, flags | PidfdFlag.THREAD))


@breaks("pidfd_open")
def zombie_not_found(real: Real, pid: int, flags: int = 0) -> int:
    """A process can be opened until it is reaped."""
    if procfs.task_state(pid) == "Z":
        boundary.fail(errno.ESRCH)
    return int(real(pid, flags))


@fault()
def number_of_no_task_opens_another() -> None:
    """A number that no task has opens nothing."""
    boundary.accept("pidfd_open", errno.ESRCH, result=pidfds.of_another)


@breaks("pidfd_open")
def kernel_thread_not_found(real: Real, pid: int, flags: int = 0) -> int:
    """A kernel thread has a pidfd as any other task."""
    if pid == 2 or pidfds.field_of(pid, "PPid") == 2:
        boundary.fail(errno.EINVAL)
    return int(real(pid, flags))


@breaks("pidfd_open")
def numbers_of_the_first_namespace(real: Real, pid: int, flags: int = 0) -> int:
    """Numbers are those of the caller's pid namespace."""
    if pidfds.in_inner_namespace():
        boundary.fail(errno.ESRCH)
    return int(real(pid, flags))


@breaks("pidfd_open")
def no_number_is_the_caller(real: Real, pid: int, flags: int = 0) -> int:
    """A pid must be positive."""
    return int(real(pid if pid > 0 else os.getpid(), flags))


@breaks("pidfd_open")
def unknown_flags_ignored(real: Real, pid: int, flags: int = 0) -> int:
    """Unknown flags are refused."""
    return int(real(pid, flags & _KNOWN))


@breaks("pidfd_open")
def number_looked_at_before_the_flags(real: Real, pid: int, flags: int = 0) -> int:
    """Unknown flags are refused before the number is looked at."""
    os.close(real(pid, 0))
    return int(real(pid, flags))


@fault()
def full_table_is_a_full_system() -> None:
    """Where the caller's table is full it gets EMFILE."""
    boundary.swap_errno("pidfd_open", errno.EMFILE, errno.ENFILE)
