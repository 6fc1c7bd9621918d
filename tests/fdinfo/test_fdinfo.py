"""/proc/PID/fdinfo tells by Pid and NSpid which task a pidfd is of."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from helpers import fdinfo, features, features_fdinfo, features_process, filesystem
from helpers.fdinfo import Shown
from helpers.features_files import PIDFS
from helpers.gating import needs
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.uapi import CloneFlag, PidfdFlag, StatusFlag

pytestmark = needs(features.PIDFD_OPEN, features_fdinfo.NSPID)

GONE = Shown("-1", "-1")
OUT_OF_SIGHT = Shown("0", "0")


def test_child_is_shown_by_its_pid(child: ThreadGroup) -> None:
    """Pid and NSpid of a child in our pid namespace are its pid.

    Beyond the C suite.
    """
    assert fdinfo.shown(child.pidfd()) == Shown(f"{child.pid}", f"{child.pid}")


@needs(features.UNPRIVILEGED_PID_NAMESPACE)
def test_child_in_a_pid_namespace_is_shown_by_both_its_pids(
    spawn: Callable[..., ThreadGroup],
) -> None:
    """NSpid continues with the pids that a task has in the namespaces below the reader's.

    Port of the first half of test_pidfd_fdinfo_nspid (pidfd_fdinfo_test.c).
    """
    child = spawn(CloneFlag.NEWUSER | CloneFlag.NEWPID)
    assert fdinfo.shown(child.pidfd()) == Shown(f"{child.pid}", f"{child.pid}\t1")


@needs(features.UNPRIVILEGED_PID_NAMESPACE)
def test_every_nested_namespace_adds_a_pid(spawn: Callable[..., ThreadGroup]) -> None:
    """Two levels down a task is shown by three pids, ours first.

    Beyond the C suite.
    """
    outer = spawn(CloneFlag.NEWUSER | CloneFlag.NEWPID)
    inner = outer.leader.fork(CloneFlag.NEWPID)
    assert fdinfo.shown(inner.pidfd()) == Shown(f"{inner.pid}", f"{inner.pid}\t2\t1")


@needs(features.PIDFD_THREAD, features.UNPRIVILEGED_PID_NAMESPACE)
def test_thread_is_shown_by_its_thread_ids(spawn: Callable[..., ThreadGroup]) -> None:
    """Pid and NSpid of a thread pidfd are the ids of the thread, and not of its process.

    Beyond the C suite.
    """
    thread = spawn(CloneFlag.NEWUSER | CloneFlag.NEWPID).spawn_thread()
    found = fdinfo.shown(thread.pidfd(PidfdFlag.THREAD))
    assert found == Shown(f"{thread.tid}", f"{thread.tid}\t2")


@needs(features_fdinfo.OWN_PROC)
def test_task_of_a_sibling_namespace_is_out_of_sight() -> None:
    """A procfs of a pid namespace that the task is not in shows 0, once, in both lines.

    Port of the second half of test_pidfd_fdinfo_nspid (pidfd_fdinfo_test.c), where a wrong value
    counts as a pass in one function and is not read in the other.
    """
    first, second = fdinfo.with_own_proc("first"), fdinfo.with_own_proc("second")
    assert second.leader.call(fdinfo.shown, first.pidfd()) == OUT_OF_SIGHT


@needs(features_fdinfo.OWN_PROC)
def test_task_of_the_namespace_above_is_out_of_sight() -> None:
    """A procfs of a pid namespace shows 0 of a task outside of it, such as a parent.

    Beyond the C suite.
    """
    inside = fdinfo.with_own_proc("inside")
    assert inside.leader.call(fdinfo.shown, Pidfd.open(os.getpid())) == OUT_OF_SIGHT


@needs(features_fdinfo.OWN_PROC)
def test_inner_procfs_shows_the_inner_pid_alone() -> None:
    """The pid namespace of the procfs is where both lines begin, whatever lies above.

    Beyond the C suite.
    """
    inside = fdinfo.with_own_proc("inside")
    assert inside.leader.call(fdinfo.shown, inside.pidfd()) == Shown("1", "1")


@needs(features.UNPRIVILEGED_PID_NAMESPACE)
def test_procfs_decides_and_not_its_reader(spawn: Callable[..., ThreadGroup]) -> None:
    """A reader in a pid namespace below sees on our procfs what we see.

    Beyond the C suite.
    """
    inside = spawn(CloneFlag.NEWUSER | CloneFlag.NEWPID)
    pidfd = inside.pidfd()
    assert inside.leader.call(fdinfo.shown, pidfd) == fdinfo.shown(pidfd)


def test_zombie_is_shown_until_it_is_reaped(child: ThreadGroup) -> None:
    """A zombie keeps its pid in both lines; they are -1 from the reap on.

    Port of test_pidfd_dead_fdinfo (pidfd_fdinfo_test.c), where a wrong value counts as a pass;
    the zombie is beyond it.
    """
    pidfd = child.pidfd()
    child.leader.exit_group()
    assert fdinfo.shown(pidfd) == Shown(f"{child.pid}", f"{child.pid}")
    child.reap()
    assert fdinfo.shown(pidfd) == GONE


@needs(features_fdinfo.OWN_PROC)
def test_reaped_task_is_gone_and_not_out_of_sight(child: ThreadGroup) -> None:
    """In a namespace that never had the task its pidfd changes from 0 to -1 with the reap.

    Beyond the C suite.
    """
    pidfd, inside = child.pidfd(), fdinfo.with_own_proc("inside")
    before = inside.leader.call(fdinfo.shown, pidfd)
    child.kill()
    child.reap()
    assert (before, inside.leader.call(fdinfo.shown, pidfd)) == (OUT_OF_SIGHT, GONE)


@pytest.mark.parametrize("inner", [False, True], ids=["on our procfs", "on its own procfs"])
@needs(features_fdinfo.OWN_PROC, features.PIDFD_THREAD)
def test_thread_that_has_ended_is_gone(inner: bool) -> None:
    """A subthread is released as it ends: both lines are -1 while its process lives.

    Beyond the C suite.
    """
    group = fdinfo.with_own_proc("inside")
    thread = group.spawn_thread()
    pidfd = thread.pidfd(PidfdFlag.THREAD)
    thread.exit()
    assert (group.leader.call(fdinfo.shown, pidfd) if inner else fdinfo.shown(pidfd)) == GONE


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(PidfdFlag.NONE, id="no flags"),
        pytest.param(PidfdFlag.NONBLOCK, id="NONBLOCK", marks=needs(features_process.NONBLOCK)),
        pytest.param(PidfdFlag.THREAD, id="THREAD", marks=needs(features.PIDFD_THREAD)),
    ],
)
def test_flags_are_shown_for_who_restores_the_pidfd(child: ThreadGroup, flags: PidfdFlag) -> None:
    """The line ``flags``, in octal, has those of ``pidfd_open`` and O_CLOEXEC: all to open it by.

    Beyond the C suite; CRIU reads it.
    """
    shown: int = StatusFlag(int(fdinfo.lines(child.pidfd(flags))["flags"], 8))
    assert shown == os.O_RDWR | os.O_CLOEXEC | flags


@needs(PIDFS)
def test_inode_and_mount_are_those_of_the_file(child: ThreadGroup) -> None:
    """The line ``ino`` tells processes from each other, as ``fstat(2)`` does; ``pos`` is 0.

    The mount is the kernel's own, and the same for all pidfds. Beyond the C suite.
    """
    pidfd, own = child.pidfd(), Pidfd.open(os.getpid())
    found, others = fdinfo.lines(pidfd), fdinfo.lines(own)
    assert (found["ino"], found["pos"]) == (str(filesystem.identity(pidfd).inode), "0")
    assert found["mnt_id"] == others["mnt_id"]
    assert found["ino"] != others["ino"]
