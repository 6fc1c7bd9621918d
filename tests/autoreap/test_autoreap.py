"""A child made with CLONE_AUTOREAP is reaped by the kernel, whoever is its parent by then.

Whether a zombie is left is asked of the parent by ``waitid`` with ``__WALL``. The C suite asks
without, which overlooks every child that sends no signal: it would not see a zombie.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable

import pytest

from helpers import autoreap, features, procfs, reaping, signals, syscalls
from helpers.autoreap import AUTOREAP, bear, wait_as_waitpid, wait_for
from helpers.expect import refused
from helpers.features_autoreap import AUTOREAP as HAS_AUTOREAP
from helpers.features_process import CLONE3
from helpers.gating import needs
from helpers.info import Exited, Killed, Outcome, decode_waitid
from helpers.observe import Watcher
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.sleepers import begin_waitid
from helpers.thread import Thread
from helpers.uapi import PR_SET_PDEATHSIG, WALL, CloneFlag, InfoMask, PidfdFlag, PollEvent

pytestmark = needs(CLONE3, HAS_AUTOREAP, features.INFO_EXIT)


def _assert_reaped(parent: Thread, group: ThreadGroup, pidfd: Pidfd, outcome: Outcome) -> None:
    """The end was told, with the reason, and has left nothing to wait for."""
    Watcher(pidfd, events=PollEvent.NONE).assert_notified(PollEvent.HUP)
    assert pidfd.info(InfoMask.EXIT).exit == outcome
    with refused(errno.ECHILD):
        parent.call(wait_for, group.pid)
    assert procfs.task_state(group.pid) is None


def test_zombie_without_autoreap_is_seen(child: ThreadGroup) -> None:
    """Control: a child that sends no signal leaves a zombie, which only ``__WALL`` shows.

    Beyond the C suite, whose check for zombies this one proves to be blind.
    """
    other, pidfd = bear(child.leader, CloneFlag.PIDFD)
    pidfd.send_signal(signal.SIGKILL)
    other.await_end()
    with refused(errno.ECHILD):
        child.leader.call(wait_as_waitpid, other.pid)
    found = child.leader.call(wait_for, other.pid)
    assert found is not None
    assert decode_waitid(found) == Killed(signal.SIGKILL)


@pytest.mark.parametrize("status", [0, 42, 255])
def test_exited_child_is_reaped(child: ThreadGroup, status: int) -> None:
    """A child that exits is reaped at once, and its pidfd tells the status.

    Port of autoreap_basic (pidfd_autoreap_test.c), which asks for the exit information when
    POLLIN is there, though only POLLHUP promises it, and looks for a zombie where none shows.
    """
    made, pidfd = bear(child.leader)
    made.leader.exit_group(status)
    _assert_reaped(child.leader, made, pidfd, Exited(status))


def test_killed_child_is_reaped(child: ThreadGroup) -> None:
    """A child that a signal ends is reaped at once, and its pidfd tells the signal.

    Port of autoreap_signaled (pidfd_autoreap_test.c), with the holes of autoreap_basic.
    """
    made, pidfd = bear(child.leader)
    pidfd.send_signal(signal.SIGKILL)
    _assert_reaped(child.leader, made, pidfd, Killed(signal.SIGKILL))


def test_child_without_clones_pidfd_is_reaped(child: ThreadGroup) -> None:
    """CLONE_PIDFD is not needed.

    Port of autoreap_without_pidfd (pidfd_autoreap_test.c), which sleeps 0.2 s and would not see a
    zombie.
    """
    made = autoreap.bear_without_pidfd(child.leader)
    pidfd = made.pidfd()
    made.leader.exit_group(7)
    _assert_reaped(child.leader, made, pidfd, Exited(7))


def test_parent_that_waits_learns_that_nothing_is_left(child: ThreadGroup) -> None:
    """A wait that has begun before the end of an autoreap child ends with ECHILD.

    Beyond the C suite.
    """
    made, pidfd = bear(child.leader)
    order = begin_waitid(child.spawn_thread("waiter"), made.pidfd(), os.WEXITED | WALL)
    pidfd.send_signal(signal.SIGKILL)
    with refused(errno.ECHILD):
        order.result()


@pytest.mark.parametrize("last", ["exits alone", "calls exit_group"])
def test_group_is_reaped_with_its_last_thread(
    child: ThreadGroup, watch: Callable[..., Watcher], last: str
) -> None:
    """A leader that exits before its subthread is not reaped: the group is, with the last thread.

    The status is the last thread's, as for any process. Port of autoreap_multithreaded
    (pidfd_autoreap_test.c), whose leader calls libc's _exit, which ends the whole group at once.
    """
    made, pidfd = bear(child.leader)
    thread = made.spawn_thread()
    watcher = watch(pidfd)
    made.leader.exit(3)
    assert thread.call(os.getpid) == made.pid
    watcher.assert_silent("the subthread goes on", quiet=True)
    assert child.leader.call(wait_for, made.pid) is None
    if last == "exits alone":
        thread.exit(99)
    else:
        thread.exit_group(99)
    _assert_reaped(child.leader, made, pidfd, Exited(99))


@needs(features.PIDFD_THREAD)
def test_group_is_reaped_after_an_exec_in_a_subthread(child: ThreadGroup) -> None:
    """The flag stays with the process when a subthread executes a program.

    Beyond the C suite.
    """
    made, pidfd = bear(child.leader)
    thread_scoped = made.pidfd(PidfdFlag.THREAD)
    made.spawn_thread().exec()
    pidfd.send_signal(signal.SIGKILL)
    _assert_reaped(child.leader, made, pidfd, Killed(signal.SIGKILL))
    assert thread_scoped.info(InfoMask.EXIT).exit == Killed(signal.SIGKILL)


def test_adopted_child_is_reaped_and_tells_nobody(child: ThreadGroup) -> None:
    """When its parent is gone an autoreap child leaves neither a zombie nor SIGCHLD to the next.

    Port of autoreap_reparent (pidfd_autoreap_test.c), which does not make sure that the child was
    adopted. An adopted child sends SIGCHLD at its end, whatever it was made to send.
    """
    child.leader.call(reaping.become_subreaper)
    middle = child.leader.fork(role="middle")
    made, pidfd = bear(middle.leader)
    made.leader.call(syscalls.prctl, PR_SET_PDEATHSIG, 0)
    middle.leader.exit_group()
    assert middle.reap() == Exited(0)
    assert procfs.status(made.pid)["PPid"] == str(child.pid)
    child.leader.call(signals.block, signal.SIGCHLD)
    pidfd.send_signal(signal.SIGKILL)
    _assert_reaped(child.leader, made, pidfd, Killed(signal.SIGKILL))
    assert procfs.pending_signals(child.pid) == (set(), set())


def test_children_of_the_child_are_not_reaped(child: ThreadGroup) -> None:
    """The flag is not inherited: a child of an autoreap child waits as a zombie for its parent.

    Port of autoreap_no_inherit (pidfd_autoreap_test.c).
    """
    made, pidfd = bear(child.leader)
    grandchild = made.leader.fork()
    grandchild.leader.exit_group(77)
    assert procfs.task_state(grandchild.pid) == "Z"
    assert grandchild.reap() == Exited(77)
    pidfd.send_signal(signal.SIGKILL)
    _assert_reaped(child.leader, made, pidfd, Killed(signal.SIGKILL))


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        pytest.param((AUTOREAP, signal.SIGCHLD), (AUTOREAP, 0), id="exit signal"),
        pytest.param(
            (AUTOREAP | CloneFlag.PARENT, 0), (CloneFlag.PIDFD | CloneFlag.PARENT, 0), id="parent"
        ),
        pytest.param(
            (AUTOREAP | autoreap.THREAD, 0), (CloneFlag.PIDFD | autoreap.THREAD, 0), id="thread"
        ),
    ],
)
def test_flags_that_autoreap_excludes(
    child: ThreadGroup, wrong: tuple[CloneFlag, int], right: tuple[CloneFlag, int]
) -> None:
    """An exit signal, CLONE_PARENT and CLONE_THREAD are refused with EINVAL.

    Port of autoreap_rejects_exit_signal, autoreap_rejects_parent and autoreap_rejects_thread
    (pidfd_autoreap_test.c), which pass on every kernel that does not know the flag. Here the
    kernel takes the same call without the conflict, as far as the pidfd that it cannot store.
    """
    with refused(errno.EFAULT):
        child.leader.call(autoreap.ask, *right)
    with refused(errno.EINVAL):
        child.leader.call(autoreap.ask, *wrong)


def test_autoreap_child_makes_no_siblings(child: ThreadGroup) -> None:
    """CLONE_PARENT is refused with EINVAL to an autoreap child, and to no other.

    Beyond the C suite.
    """
    made, _ = bear(child.leader)
    sibling = CloneFlag.PIDFD | CloneFlag.PARENT
    with refused(errno.EFAULT):
        child.leader.call(autoreap.ask, sibling)
    with refused(errno.EINVAL):
        made.leader.call(autoreap.ask, sibling)
