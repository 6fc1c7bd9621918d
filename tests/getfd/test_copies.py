"""pidfd_getfd(2) gives a copy of another task's descriptor."""

from __future__ import annotations

import os

import pytest

from helpers import features, features_getfd, getfd, rights, syscalls_access
from helpers.gating import needs
from helpers.process import ThreadGroup
from helpers.uapi import PidfdFlag

pytestmark = needs(features_getfd.PIDFD_GETFD)


def test_copy_shares_the_file_offset_with_the_original(child: ThreadGroup) -> None:
    """The copy refers to the open file description of the original, as after dup(2).

    Beyond the C suite, which asks kcmp(2) alone and gives up where the kernel has none.
    """
    number = child.leader.call(os.memfd_create, "target")
    copy = getfd.copy(child.pidfd(), number)
    child.leader.call(os.lseek, number, 4711, os.SEEK_SET)
    assert os.lseek(copy.fileno(), 0, os.SEEK_CUR) == 4711


@needs(features_getfd.KCMP)
def test_kcmp_finds_copy_and_original_equal(child: ThreadGroup) -> None:
    """kcmp(2) says 0 of the copy and its original, and not 0 of another file.

    Port of child.fetch_fd (pidfd_getfd_test.c), where nothing shows that kcmp could differ.
    """
    number, other = (child.leader.call(os.memfd_create, name) for name in ("target", "other"))
    copy = getfd.copy(child.pidfd(), number).fileno()
    assert syscalls_access.kcmp_file(os.getpid(), copy, child.pid, number) == 0
    assert syscalls_access.kcmp_file(os.getpid(), copy, child.pid, other) != 0


@pytest.mark.parametrize("inheritable", [True, False], ids=["kept on exec", "closed on exec"])
def test_copy_closes_on_exec_whatever_the_original_does(
    child: ThreadGroup, inheritable: bool
) -> None:
    """The copy is closed on exec, also where the original is kept.

    Port of child.fetch_fd (pidfd_getfd_test.c), whose condition on FD_CLOEXEC is always true.
    """
    number = child.leader.call(os.memfd_create, "target")
    child.leader.call(os.set_inheritable, number, inheritable)
    assert getfd.copy(child.pidfd(), number).closes_on_exec


def test_copy_outlives_the_process_it_came_from(child: ThreadGroup) -> None:
    """What was copied stays open when the process is gone.

    Beyond the C suite.
    """
    number = child.leader.call(os.memfd_create, "target")
    child.leader.call(os.write, number, b"still here")
    copy = getfd.copy(child.pidfd(), number)
    child.kill()
    child.reap()
    assert os.pread(copy.fileno(), 64, 0) == b"still here"


@needs(features.PIDFD_THREAD)
def test_thread_pidfd_reaches_the_table_of_that_thread(child: ThreadGroup) -> None:
    """A thread that has left the shared descriptor table is asked by its own pidfd.

    Beyond the C suite.
    """
    thread = child.spawn_thread()
    number = thread.call(getfd.open_in_own_table)
    copy = getfd.copy(thread.pidfd(PidfdFlag.THREAD), number)
    thread.call(os.lseek, number, 4711, os.SEEK_SET)
    assert os.lseek(copy.fileno(), 0, os.SEEK_CUR) == 4711


@needs(features_getfd.UNPRIVILEGED_GETFD)
def test_child_of_the_same_user_needs_no_privileges() -> None:
    """A process without any capability may copy from a child of its own that is like it.

    Beyond the C suite; without it the refusals could have other reasons.
    """
    scene = rights.equals()
    number = scene.target.leader.call(os.memfd_create, "target")
    copy = scene.caller.leader.call(getfd.copy, scene.pidfd, number)
    scene.target.leader.call(os.lseek, number, 4711, os.SEEK_SET)
    assert os.lseek(copy.fileno(), 0, os.SEEK_CUR) == 4711
