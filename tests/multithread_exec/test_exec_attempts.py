"""Execs that fail, that race, or that the leader makes itself: none is an exit of the process."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest

from helpers import agent, features
from helpers.expect import refused
from helpers.gating import needs
from helpers.observe import How, Watcher
from helpers.process import ThreadGroup
from helpers.uapi import PidfdFlag, PollEvent


def test_leader_that_execs_beside_subthreads_is_silent(
    child: ThreadGroup, watch: Callable[..., Watcher], scope: PidfdFlag, how: How
) -> None:
    """An exec in the leader ends its subthreads and keeps its own pidfds silent.

    Beyond the C suite.
    """
    child.spawn_thread()
    watcher = watch(child.pidfd(scope), how)
    child.leader.exec()
    watcher.assert_silent("the new image runs")
    child.kill()
    watcher.assert_notified(PollEvent.IN)


@needs(features.DELAYED_LEADER)
@pytest.mark.parametrize("by_leader", [False, True], ids=["by a subthread", "by the leader"])
@pytest.mark.parametrize(
    ("path", "error"),
    [("/proc/self/no-such-program", errno.ENOENT), ("/", errno.EACCES)],
    ids=["ENOENT", "EACCES"],
)
def test_failed_exec_notifies_nobody_and_the_group_goes_on(
    child: ThreadGroup, watch: Callable[..., Watcher], path: str, error: int, by_leader: bool
) -> None:
    """An exec that the kernel refuses ends no thread of the group.

    Beyond the C suite.
    """
    threads = [child.leader, child.spawn_thread("subthread"), child.spawn_thread("bystander")]
    pidfds = [thread.pidfd(PidfdFlag.THREAD) for thread in threads]
    of_leader = [watch(pidfds[0]), watch(child.pidfd())]
    # A subthread is reaped as it ends: by then it hangs up, but it may tell IN before.
    of_others = [watch(pidfd, events=PollEvent.NONE) for pidfd in pidfds[1:]]
    with refused(error):
        threads[0 if by_leader else 1].call(agent.exec_path, path)
    for watcher in (*of_leader, *of_others):
        watcher.assert_silent("the exec has failed")
    assert [pidfd.poll() for pidfd in pidfds] == [PollEvent.NONE] * 3
    assert [thread.call(os.getpid) for thread in threads] == [child.pid] * 3
    child.kill()
    for watcher in of_leader:
        watcher.assert_notified(PollEvent.IN)
    for watcher in of_others:
        watcher.assert_notified(PollEvent.HUP)


@needs(features.DELAYED_LEADER)
def test_leader_that_exits_after_a_failed_exec_waits_for_the_one_that_succeeds(
    child: ThreadGroup, watch: Callable[..., Watcher], scope: PidfdFlag
) -> None:
    """A failed exec leaves nothing behind that an early leader exit and an exec could trip over.

    Beyond the C suite.
    """
    watcher = watch(child.pidfd(scope))
    subthread = child.spawn_thread()
    with refused(errno.ENOENT):
        subthread.call(agent.exec_path, "/proc/self/no-such-program")
    child.leader.exit()
    watcher.assert_silent("the leader is a zombie")
    subthread.exec()
    watcher.assert_silent("the new image runs")
    child.kill()
    watcher.assert_notified(PollEvent.IN)


@needs(features.PIDFD_THREAD)
@pytest.mark.parametrize(
    "with_leader", [False, True], ids=["subthreads only", "subthreads and leader"]
)
def test_of_several_racing_execs_one_wins_and_the_leader_stays_silent(
    child: ThreadGroup, watch: Callable[..., Watcher], scope: PidfdFlag, with_leader: bool
) -> None:
    """Threads that execute programs at the same time leave one program, and no notification.

    Beyond the C suite.
    """
    racers = [child.spawn_thread() for _ in range(4)]
    own = [racer.pidfd(PidfdFlag.THREAD) for racer in racers]
    watcher = watch(child.pidfd(scope))
    child.race_to_exec(*racers, *([child.leader] if with_leader else []))
    watcher.assert_silent("the winner's image runs")
    assert [pidfd.poll() for pidfd in own] == [PollEvent.IN | PollEvent.HUP] * 4
    child.kill()
    watcher.assert_notified(PollEvent.IN)
