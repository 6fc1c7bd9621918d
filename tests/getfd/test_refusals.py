"""What pidfd_getfd(2) refuses, exact to the errno."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest

from helpers import (
    features_getfd,
    features_process,
    features_targets,
    getfd,
    rights,
    syscalls,
    targets,
)
from helpers.endings import end_leader
from helpers.expect import moved, refused
from helpers.gating import needs
from helpers.parameters import SCOPES, UNLIKE_EQUALS
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.rights import Obstacle
from helpers.targets import NotAPidfd
from helpers.uapi import INT_MAX, PidfdFlag

pytestmark = needs(features_getfd.PIDFD_GETFD)


@UNLIKE_EQUALS
def test_process_that_may_not_be_traced_gives_no_descriptor(obstacle: Obstacle) -> None:
    """Who may not attach to a process by ptrace may not copy from it: EPERM.

    Port of child.disable_ptrace (pidfd_getfd_test.c), which never shows that it is allowed
    otherwise, and drops the effective user id only; the other two are beyond the C suite.
    """
    caller, target, pidfd = rights.scene(obstacle)
    number = target.leader.call(os.memfd_create, "target")
    with refused(errno.EPERM):
        caller.leader.call(getfd.copy, pidfd, number)


@needs(features_getfd.UNPRIVILEGED_GETFD)
def test_process_that_becomes_dumpable_again_gives_its_descriptors() -> None:
    """Dumpability is asked at each call, and not kept with the pidfd.

    Beyond the C suite.
    """
    caller, target, pidfd = rights.scene(Obstacle.NOT_DUMPABLE)
    number = target.leader.call(os.memfd_create, "target")
    with refused(errno.EPERM):
        caller.leader.call(getfd.copy, pidfd, number)
    target.leader.call(rights.set_dumpable, 1)
    assert caller.leader.call(getfd.copy, pidfd, number).closes_on_exec


@needs(features_process.USER_CHANGE)
def test_zombie_is_no_less_guarded() -> None:
    """Who may not look into a process is not told that it has ended: EPERM.

    Beyond the C suite.
    """
    caller, target, pidfd = rights.scene(Obstacle.OTHER_USER)
    target.leader.exit_group()
    with refused(errno.EPERM):
        caller.leader.call(getfd.copy, pidfd, 0)


@needs(features_process.KERNEL_THREAD_RIGHTS)
def test_kernel_thread_has_no_descriptors() -> None:
    """Of a kernel thread who may trace it gets none: EBADF.

    Beyond the C suite.
    """
    with refused(errno.EBADF):
        getfd.copy(Pidfd.open(features_process.KERNEL_THREAD), 0)


def test_descriptor_that_the_process_has_not_is_unknown(child: ThreadGroup) -> None:
    """A number that is not open there, or cannot be, gives EBADF.

    Port of child.test_unknown_fd (pidfd_getfd_test.c), which trusts that 111 is not open.
    """
    with child.pidfd() as pidfd:
        for number in (child.leader.call(getfd.closed_number), -1):
            with refused(errno.EBADF):
                getfd.copy(pidfd, number)


@pytest.mark.parametrize("kind", features_targets.kinds())
def test_other_descriptor_is_no_pidfd(kind: NotAPidfd) -> None:
    """In place of a pidfd every other kind of descriptor gives EBADF.

    Beyond the C suite.
    """
    with refused(errno.EBADF):
        getfd.copy(targets.make(kind), 0)


@pytest.mark.parametrize("number", [-1, INT_MAX], ids=["-1", "highest"])
def test_number_that_is_not_open_is_no_pidfd(number: int) -> None:
    """In place of a pidfd a number that names no descriptor gives EBADF.

    Beyond the C suite.
    """
    with refused(errno.EBADF):
        syscalls.pidfd_getfd(number, 0)


@pytest.mark.parametrize("flags", [1, os.O_CLOEXEC, 1 << 31], ids=["1", "O_CLOEXEC", "highest"])
def test_no_flag_is_known(child: ThreadGroup, flags: int) -> None:
    """Flags are refused with EINVAL where all else is right, and before the descriptor is read.

    Port of flags_set (pidfd_getfd_test.c), where descriptor 0 is no pidfd either.
    """
    number = child.leader.call(os.memfd_create, "target")
    for descriptor in (child.pidfd(), targets.make(NotAPidfd.MEMFD)):
        with refused(errno.EINVAL):
            getfd.copy(descriptor, number, flags)


@pytest.mark.parametrize("end", ["zombie", "reaped"])
def test_ended_process_is_not_found(child: ThreadGroup, end: str) -> None:
    """A zombie and a reaped process have no descriptors and are not found: ESRCH.

    EBADF until 0c9bd6bc4bb2 ("pidfd: getfd should always report ESRCH if a task is exiting"),
    v6.9. Port of child.no_strange_EBADF (pidfd_getfd_test.c), which takes a readable pidfd for
    the zombie's sign; the reaped process is beyond the C suite.
    """
    pidfd, number = child.pidfd(), child.leader.call(os.memfd_create, "target")
    end_leader(child, end)
    with refused(*moved(errno.ESRCH, old=errno.EBADF, since=(6, 9))):
        getfd.copy(pidfd, number)


def test_leader_that_has_exited_has_no_descriptors_though_its_thread_has(
    child: ThreadGroup,
) -> None:
    """A process pidfd stands for the leader's table, which ends with the leader: ESRCH.

    Beyond the C suite.
    """
    pidfd, number = child.pidfd(), child.leader.call(os.memfd_create, "target")
    thread = child.spawn_thread()
    child.leader.exit()
    with refused(*moved(errno.ESRCH, old=errno.EBADF, since=(6, 9))):
        getfd.copy(pidfd, number)
    assert thread.call(os.lseek, number, 0, os.SEEK_CUR) == 0


@pytest.mark.parametrize("scope", SCOPES)
def test_leader_has_not_what_a_thread_opened_for_itself(
    child: ThreadGroup, scope: PidfdFlag
) -> None:
    """A descriptor of a thread's own table is unknown to the leader's pidfds: EBADF.

    Beyond the C suite.
    """
    thread = child.spawn_thread()
    number = thread.call(getfd.open_in_own_table)
    with refused(errno.EBADF):
        getfd.copy(child.pidfd(scope), number)


@needs(features_getfd.SIBLING_GETFD)
def test_full_table_takes_no_copy(child: ThreadGroup, spawn: Callable[..., ThreadGroup]) -> None:
    """Where the caller may not have one descriptor more it gets EMFILE.

    Beyond the C suite.
    """
    number = child.leader.call(os.memfd_create, "target")
    with refused(errno.EMFILE):
        spawn(role="caller").leader.call(getfd.copy_into_full_table, child.pidfd(), number)


@pytest.mark.parametrize("attempt", range(5))
def test_process_that_is_killed_meanwhile_is_never_said_to_lack_the_descriptor(
    child: ThreadGroup, attempt: int
) -> None:
    """As long as a copy can be had it is had; from the exit on the answer is ESRCH, never EBADF.

    0c9bd6bc4bb2 ("pidfd: getfd should always report ESRCH if a task is exiting"), v6.9, and
    62c4d31d7829 ("pidfd: refuse access to tasks that have started exiting harder"), v7.1. Beyond
    the C suite.
    """
    target = child.leader.fork(role=f"target {attempt}")
    pidfd, number = target.pidfd(), target.leader.call(os.memfd_create, "target")
    order = child.leader.begin(getfd.copy_until_refused, pidfd, number)
    target.kill()
    assert order.result() in moved(errno.ESRCH, old=errno.EBADF, since=(6, 9))
