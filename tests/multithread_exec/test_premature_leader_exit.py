"""A leader exits before its subthreads: the process lives on, and ends with the last of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from helpers import features
from helpers.gating import needs
from helpers.observe import How, Watcher
from helpers.pidfd import Pidfd
from helpers.poller import Collector, Poller
from helpers.polling import Polled, epoll_on, poll_on
from helpers.process import ThreadGroup
from helpers.thread import Thread
from helpers.uapi import PidfdFlag, PollEvent
from helpers.wire import Channel


def test_leader_that_exits_before_its_subthread_is_silent(
    child: ThreadGroup, watch: Callable[..., Watcher], scope: PidfdFlag, how: How
) -> None:
    """The exit of a leader is not the end of its process while a subthread lives.

    0fb482728ba1 ("pidfs: improve multi-threaded exec and premature thread-group leader exit
    polling"), v6.15 and v6.12.31. Port of pidfd_info.thread_group (pidfd_info_test.c), with the
    watcher asleep beforehand.
    """
    subthread = child.spawn_thread()
    watcher = watch(child.pidfd(scope), how)
    child.leader.exit()
    watcher.assert_silent("the leader is a zombie")
    subthread.exit()
    watcher.assert_notified(PollEvent.IN)


@needs(features.DELAYED_LEADER)
def test_notification_of_a_leader_that_exits_early_does_not_come_late(
    child: ThreadGroup, watch: Callable[..., Watcher]
) -> None:
    """Nothing is notified after the exit of the leader alone, either.

    Port of pidfd_info.thread_group (pidfd_info_test.c), which polls for ten seconds.
    """
    watcher = watch(child.pidfd(PidfdFlag.THREAD))
    child.spawn_thread()
    child.leader.exit()
    watcher.assert_silent("the leader has been a zombie for a while", quiet=True)
    child.kill()
    watcher.assert_notified(PollEvent.IN)


@pytest.mark.parametrize("polling", [poll_on, epoll_on], ids=["poll", "epoll"])
def test_polls_during_the_exit_of_a_leader_alone_tell_nothing(
    child: ThreadGroup, scope: PidfdFlag, polling: Callable[[Pidfd, Channel], Polled]
) -> None:
    """At no moment of its exit a leader with a subthread looks like the end of the process.

    Port of pidfd_info.thread_group (pidfd_info_test.c), which does not poll in between.
    """
    child.spawn_thread()
    poller = Poller(child.pidfd(scope), polling)
    child.leader.exit()
    poller.assert_saw_nothing("the leader was a zombie")


def test_pidfd_opened_on_a_dead_leader_is_silent_until_the_process_ends(
    child: ThreadGroup, watch: Callable[..., Watcher], scope: PidfdFlag, how: How
) -> None:
    """A zombie leader with a subthread can be opened, and its pidfd follows the process.

    Beyond the C suite.
    """
    subthread = child.spawn_thread()
    child.leader.exit()
    watcher = watch(child.pidfd(scope), how)
    watcher.assert_silent("it watches a zombie leader")
    subthread.exit()
    watcher.assert_notified(PollEvent.IN)


def test_only_the_last_of_several_subthreads_to_end_notifies(
    child: ThreadGroup, watch: Callable[..., Watcher], scope: PidfdFlag
) -> None:
    """Subthreads that end one by one after their leader are one notification, at the last.

    Port of poll_leader_exit (pidfd_test.c), which lets a poll begin a second after the exit, and
    both subthreads end at once.
    """
    subthreads = [child.spawn_thread() for _ in range(3)]
    pidfd = child.pidfd(scope)
    watcher, collector = watch(pidfd), Collector(pidfd)
    child.leader.exit()
    for before_last in subthreads[:-1]:
        before_last.exit()
        watcher.assert_silent(f"{before_last} is gone")
        assert collector.take() == []
    subthreads[-1].exit()
    watcher.assert_notified(PollEvent.IN)
    child.await_end()
    assert collector.take() == [PollEvent.IN]
    assert collector.take() == []


def _exit_alone(thread: Thread) -> None:
    thread.exit()


def _exit_group(thread: Thread) -> None:
    thread.exit_group(3)


def _kill(thread: Thread) -> None:
    thread.group.kill()


@pytest.mark.parametrize(
    "end",
    [_exit_alone, _exit_group, _kill],
    ids=["the subthread exits", "the subthread calls exit_group", "the group is killed"],
)
def test_every_end_of_a_group_without_leader_wakes_all_watchers(
    child: ThreadGroup,
    watch: Callable[..., Watcher],
    scope: PidfdFlag,
    end: Callable[[Thread], None],
) -> None:
    """The delayed notification of a leader that exited early is never lost.

    Port of pidfd_info.thread_group (pidfd_info_test.c), with every end and every call to wait in.
    """
    subthread = child.spawn_thread()
    child.leader.exit()
    pidfd = child.pidfd(scope)
    watchers = [watch(pidfd, how) for how in How]
    end(subthread)
    for watcher in watchers:
        watcher.assert_notified(PollEvent.IN)
