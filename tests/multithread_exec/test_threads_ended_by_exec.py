"""An exec ends all threads but one: what their PIDFD_THREAD pidfds tell of that."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from helpers import features, records
from helpers.gating import needs
from helpers.info import Exited
from helpers.observe import How, Watcher
from helpers.parameters import LEADER_GONE
from helpers.process import ThreadGroup
from helpers.uapi import InfoMask, PidfdFlag, PollEvent

pytestmark = needs(features.PIDFD_THREAD)

GONE = PollEvent.IN | PollEvent.HUP


@LEADER_GONE
def test_pidfd_of_the_thread_that_execs_hangs_up(
    child: ThreadGroup, watch: Callable[..., Watcher], how: How, leader_gone: bool
) -> None:
    """The thread that execs gives up its own struct pid, whose pidfds tell that at once.

    Port of pidfd_info.thread_group_exec and .thread_group_exec_thread (pidfd_info_test.c), with
    the watcher asleep before the exec.
    """
    subthread = child.spawn_thread()
    watcher = watch(subthread.pidfd(PidfdFlag.THREAD), how)
    if leader_gone:
        child.leader.exit()
    subthread.exec()
    # One wake-up: the old leader is reaped under this number, and is never notified as a zombie.
    watcher.assert_notified(GONE)
    assert watcher.pidfd.poll() == GONE


@needs(features.INFO_EXIT)
@pytest.mark.parametrize("status", [None, 0, 7], ids=["leader alive", "exit 0", "exit 7"])
def test_pidfd_of_the_thread_that_execs_tells_how_the_old_leader_exited(
    child: ThreadGroup, status: int | None
) -> None:
    """The old leader is reaped under the number of the thread that execs, which ends it with 0.

    Port of pidfd_info.thread_group_exec and .thread_group_exec_thread (pidfd_info_test.c), where
    a leader that exited before the exec did so with 0 as well.
    """
    subthread = child.spawn_thread()
    pidfd = subthread.pidfd(PidfdFlag.THREAD)
    if status is not None:
        child.leader.exit(status)
    subthread.exec()
    assert pidfd.info(InfoMask.EXIT) == records.of_reaped(Exited(status or 0))


@pytest.mark.parametrize("by_leader", [False, True], ids=["by a subthread", "by the leader"])
def test_bystanders_of_an_exec_get_their_notification(
    child: ThreadGroup, watch: Callable[..., Watcher], how: How, by_leader: bool
) -> None:
    """A thread that an exec ends is reaped by then, and its watchers are woken.

    Beyond the C suite.
    """
    execs = child.leader if by_leader else child.spawn_thread()
    bystanders = [child.spawn_thread(f"bystander {number}") for number in (1, 2)]
    # Asked for nothing, a poll tells of the hangup alone: that is, of the reap.
    watchers = [watch(it.pidfd(PidfdFlag.THREAD), how, PollEvent.NONE) for it in bystanders]
    execs.exec()
    for watcher in watchers:
        watcher.assert_notified(PollEvent.HUP)
        assert watcher.pidfd.poll() == GONE


@needs(features.INFO_EXIT)
@pytest.mark.parametrize("by_leader", [False, True], ids=["by a subthread", "by the leader"])
def test_bystanders_of_an_exec_tell_a_clean_exit(child: ThreadGroup, by_leader: bool) -> None:
    """A thread that an exec ends has exited with status 0, though it was killed in effect.

    Beyond the C suite.
    """
    execs = child.leader if by_leader else child.spawn_thread()
    pidfd = child.spawn_thread("bystander").pidfd(PidfdFlag.THREAD)
    execs.exec()
    assert pidfd.info(InfoMask.EXIT) == records.of_reaped(Exited(0))
