"""Faults of ``pidfd_getfd(2)``."""

from __future__ import annotations

import os

from helpers import syscalls
from selftests.faults import boundary, pidfds
from selftests.faults.boundary import EBADF, EINVAL, EMFILE, EPERM, ESRCH, Real
from selftests.faults.registry import breaks, fault

_CALL = "pidfd_getfd"


@breaks(_CALL)
def copy_is_a_new_description(real: Real, pidfd: int, number: int, flags: int = 0) -> int:
    """The copy refers to the open file description of the original."""
    fd = int(real(pidfd, number, flags))
    again = os.open(f"/proc/self/fd/{fd}", os.O_RDWR | os.O_CLOEXEC)
    os.close(fd)
    return again


@breaks(_CALL)
def copy_kept_on_exec(real: Real, pidfd: int, number: int, flags: int = 0) -> int:
    """The copy is closed on exec."""
    return pidfds.kept_on_exec(real(pidfd, number, flags))


@breaks(_CALL)
def copy_of_another_file(real: Real, pidfd: int, number: int, flags: int = 0) -> int:
    """The copy is of the file that the number stands for there."""
    os.close(real(pidfd, number, flags))
    return boundary.null()


@breaks(_CALL)
def getfd_asks_the_leader(real: Real, pidfd: int, number: int, flags: int = 0) -> int:
    """A pidfd of a thread reaches the descriptors of that thread."""
    leader = syscalls.pidfd_open(pidfds.leader_of(pidfd))
    try:
        return int(real(leader, number, flags))
    finally:
        os.close(leader)


@breaks(_CALL)
def getfd_needs_a_privilege(real: Real, pidfd: int, number: int, flags: int = 0) -> int:
    """Who may trace a process may copy from it, without a privilege."""
    return boundary.fail(EPERM) if pidfds.unprivileged() else int(real(pidfd, number, flags))


@fault()
def getfd_asks_no_permission() -> None:
    """Who may not trace a process may not copy from it."""
    boundary.accept(_CALL, EPERM, result=boundary.null)


@fault()
def getfd_remembers_a_refusal() -> None:
    """Whether a process is dumpable is asked at each call."""
    refused: set[int] = set()

    def broken(real: Real, pidfd: int, number: int, flags: int = 0) -> int:
        task = pidfds.target(pidfd)
        if task in refused:
            boundary.fail(EPERM)
        try:
            return int(real(pidfd, number, flags))
        except PermissionError:
            refused.add(task)
            raise

    boundary.wrap(_CALL, broken)


@fault()
def unknown_descriptor_copied() -> None:
    """A number that is not open there, and what is no pidfd, gives EBADF."""
    boundary.accept(_CALL, EBADF, result=boundary.null)


@fault()
def bad_descriptor_is_no_process() -> None:
    """What is no pidfd is a bad descriptor, and not a process that is gone."""
    boundary.swap_errno(_CALL, EBADF, ESRCH)


@fault()
def getfd_takes_flags() -> None:
    """No flag is known."""
    boundary.accept(_CALL, EINVAL, result=boundary.null)


@fault()
def ended_process_is_said_to_lack_the_descriptor() -> None:
    """A process without descriptors, since it has ended, gives ESRCH and not EBADF."""
    boundary.swap_errno(_CALL, ESRCH, EBADF)


@fault()
def full_table_is_another_error() -> None:
    """Where the caller's table is full it gets EMFILE."""
    boundary.swap_errno(_CALL, EMFILE, EBADF)


@breaks(_CALL)
def getfd_goes_by_the_effective_user(real: Real, pidfd: int, number: int, flags: int = 0) -> int:
    """The real user decides whose descriptors may be copied."""
    if os.getuid() != os.geteuid():
        return boundary.null() if pidfds.is_of_user(pidfd, os.geteuid()) else boundary.fail(EPERM)
    return int(real(pidfd, number, flags))
