"""A subthread executes a new program and takes over the leader's struct pid."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from helpers import features, features_process
from helpers.gating import needs
from helpers.observe import How, Watcher
from helpers.parameters import LEADER_GONE
from helpers.pidfd import Pidfd
from helpers.poller import Collector, Poller
from helpers.polling import Polled, epoll_on, poll_on
from helpers.process import ThreadGroup
from helpers.uapi import PidfdFlag, PollEvent
from helpers.wire import Channel


def _exec_in_subthread(child: ThreadGroup, leader_gone: bool) -> None:
    subthread = child.spawn_thread()
    if leader_gone:
        child.leader.exit()
    subthread.exec()


@LEADER_GONE
def test_leader_pidfd_stays_silent_when_a_subthread_execs(
    child: ThreadGroup,
    watch: Callable[..., Watcher],
    scope: PidfdFlag,
    how: How,
    leader_gone: bool,
) -> None:
    """An exec in a subthread hands the leader's struct pid on; it is not an exit.

    0fb482728ba1 ("pidfs: improve multi-threaded exec and premature thread-group leader exit
    polling"), v6.15 and v6.12.31. Port of poll_exec (pidfd_test.c), which measures by the clock,
    in whole seconds. Port of pidfd_info.thread_group_exec and .thread_group_exec_thread
    (pidfd_info_test.c), with the watcher asleep before the exec and the end of the new program
    seen by it.
    """
    watcher = watch(child.pidfd(scope), how)
    _exec_in_subthread(child, leader_gone)
    watcher.assert_silent("the new image runs")
    child.kill()
    watcher.assert_notified(PollEvent.IN)


@LEADER_GONE
@needs(features.DELAYED_LEADER)
def test_notification_of_an_exec_does_not_come_late(
    child: ThreadGroup, watch: Callable[..., Watcher], leader_gone: bool
) -> None:
    """Nothing is notified after the exec of a subthread, either.

    Port of pidfd_info.thread_group_exec and .thread_group_exec_thread (pidfd_info_test.c), which
    poll for ten seconds.
    """
    watcher = watch(child.pidfd(PidfdFlag.THREAD))
    _exec_in_subthread(child, leader_gone)
    watcher.assert_silent("the new image has run for a while", quiet=True)
    child.kill()
    watcher.assert_notified(PollEvent.IN)


@LEADER_GONE
@pytest.mark.parametrize("polling", [poll_on, epoll_on], ids=["poll", "epoll"])
def test_polls_during_an_exec_in_a_subthread_tell_nothing(
    child: ThreadGroup,
    scope: PidfdFlag,
    leader_gone: bool,
    polling: Callable[[Pidfd, Channel], Polled],
) -> None:
    """At no moment an exec in a subthread looks like the end of the process.

    Port of pidfd_info.thread_group_exec and .thread_group_exec_thread (pidfd_info_test.c), where
    one poll sleeps and none is made during the exec.
    """
    poller = Poller(child.pidfd(scope), polling)
    _exec_in_subthread(child, leader_gone)
    poller.assert_saw_nothing("the new image ran")


def test_pidfd_opened_on_a_dead_leader_belongs_to_the_program_that_a_subthread_execs(
    child: ThreadGroup, watch: Callable[..., Watcher], scope: PidfdFlag
) -> None:
    """A pidfd opened on a zombie leader goes over to the new program like an older one.

    Beyond the C suite.
    """
    subthread = child.spawn_thread()
    child.leader.exit()
    watcher = watch(child.pidfd(scope))
    subthread.exec()
    watcher.assert_silent("the new image runs")
    child.kill()
    watcher.assert_notified(PollEvent.IN)


@needs(features_process.POLL_HUP)
def test_rounds_of_exec_and_early_leader_exit_notify_once_at_the_real_end(
    child: ThreadGroup, watch: Callable[..., Watcher], scope: PidfdFlag
) -> None:
    """However often subthreads take over, the process ends once: then it notifies, once.

    Beyond the C suite. It takes as long as three starts of an interpreter.
    """
    pidfd = child.pidfd(scope)
    watcher, collector = watch(pidfd), Collector(pidfd)
    for number in (1, 2, 3):
        subthread = child.spawn_thread()
        child.leader.exit()
        watcher.assert_silent(f"leader {number} is a zombie")
        subthread.exec_agent()
        watcher.assert_silent(f"image {number} runs")
    child.spawn_thread()
    assert collector.take() == []
    child.leader.exit_group()
    watcher.assert_notified(PollEvent.IN)
    assert collector.take() == [PollEvent.IN]
    child.reap()
    assert collector.take() == [PollEvent.IN | PollEvent.HUP]
    assert collector.take() == []
