"""poll, waitid and SIGCHLD agree: a notification means that the parent can reap."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from helpers import features, procfs, signals
from helpers.deadline import Deadline
from helpers.gating import needs
from helpers.info import Exited, Killed, Outcome, decode_waitid
from helpers.observe import Watcher
from helpers.parameters import LEADER_GONE
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.thread import Thread
from helpers.uapi import PidfdFlag, PollEvent

pytestmark = needs(features.PIDFD_OPEN)


def _sigchld_pending(parent: ThreadGroup) -> bool:
    return signal.SIGCHLD in procfs.pending_signals(parent.pid)[1]


@pytest.fixture
def parent(child: ThreadGroup) -> ThreadGroup:
    """A process that keeps SIGCHLD pending."""
    child.leader.call(signals.block, signal.SIGCHLD)
    return child


@pytest.fixture
def grandchild(parent: ThreadGroup) -> ThreadGroup:
    """Its child, with a subthread."""
    group = parent.leader.fork()
    group.spawn_thread()
    return group


def _nothing(_: Thread) -> None:
    pass


def _exec(subthread: Thread) -> None:
    subthread.exec()


@pytest.mark.parametrize("then", [_nothing, _exec], ids=["early exit", "early exit, then exec"])
def test_parent_cannot_reap_and_gets_no_signal_while_the_pidfd_is_silent(
    parent: ThreadGroup,
    grandchild: ThreadGroup,
    watch: Callable[..., Watcher],
    scope: PidfdFlag,
    then: Callable[[Thread], None],
) -> None:
    """A leader that exits before its subthread is no child to reap, however one asks.

    Beyond the C suite.
    """
    watcher, pidfd = watch(grandchild.pidfd(scope)), grandchild.pidfd()
    grandchild.leader.exit(3)
    then(grandchild.threads[1])
    watcher.assert_silent("the leader is gone")
    assert parent.leader.call(Pidfd.peek, pidfd) is None
    assert not _sigchld_pending(parent)
    grandchild.kill()
    watcher.assert_notified(PollEvent.IN)
    assert parent.leader.call(Pidfd.peek, pidfd) == Killed(signal.SIGKILL)
    assert _sigchld_pending(parent)


def _last_subthread_exits(subthread: Thread) -> Outcome:
    subthread.group.leader.exit(3)
    subthread.exit(5)
    return Exited(5)  # the status of the thread that goes last is the group's


def _subthread_exits_the_group(subthread: Thread) -> Outcome:
    subthread.group.leader.exit(3)
    subthread.exit_group(7)
    return Exited(7)


def _killed_after_exec(subthread: Thread) -> Outcome:
    subthread.exec()
    subthread.group.kill(signal.SIGTERM)
    return Killed(signal.SIGTERM)


ends = pytest.mark.parametrize(
    "end",
    [_last_subthread_exits, _subthread_exits_the_group, _killed_after_exec],
    ids=["last subthread exits", "subthread exits the group", "killed after an exec"],
)


@ends
def test_parent_can_reap_and_has_its_signal_once_a_watcher_is_woken(
    parent: ThreadGroup,
    grandchild: ThreadGroup,
    watch: Callable[..., Watcher],
    scope: PidfdFlag,
    end: Callable[[Thread], Outcome],
) -> None:
    """When a pidfd tells of the end the parent need not wait any more, nor for SIGCHLD.

    Beyond the C suite.
    """
    watcher, pidfd = watch(grandchild.pidfd(scope)), grandchild.pidfd()
    outcome = end(grandchild.threads[1])
    watcher.assert_notified(PollEvent.IN)
    assert parent.leader.call(Pidfd.peek, pidfd) == outcome
    assert _sigchld_pending(parent)
    assert grandchild.reap() == outcome


@ends
def test_pidfd_tells_of_the_end_once_the_parent_has_its_signal(
    parent: ThreadGroup,
    grandchild: ThreadGroup,
    scope: PidfdFlag,
    end: Callable[[Thread], Outcome],
) -> None:
    """SIGCHLD comes for an end that the pidfd tells of and that the parent can reap by then.

    Beyond the C suite.
    """
    pidfd = grandchild.pidfd(scope)
    received = parent.leader.begin(signal.sigwait, [signal.SIGCHLD])
    outcome = end(grandchild.threads[1])
    assert received.result() == signal.SIGCHLD
    assert pidfd.poll() == PollEvent.IN
    assert grandchild.reap() == outcome


@ends
def test_signal_tells_the_parent_the_outcome_that_waitid_tells(
    parent: ThreadGroup, grandchild: ThreadGroup, end: Callable[[Thread], Outcome]
) -> None:
    """SIGCHLD has the group's outcome, and not the status of a leader that exited before.

    9133607de37a ("exit: fix the usage of delay_group_leader->exit_code in do_notify_parent() and
    pidfs_exit()"), v6.15. Beyond the C suite.
    """
    received = parent.leader.begin(signal.sigwaitinfo, [signal.SIGCHLD])
    outcome = end(grandchild.threads[1])
    told = received.result()
    assert (told.si_pid, decode_waitid(told)) == (grandchild.pid, outcome)
    assert grandchild.reap() == outcome


@LEADER_GONE
def test_first_waitid_after_a_notification_finds_the_child(
    child: ThreadGroup, scope: PidfdFlag, leader_gone: bool
) -> None:
    """A parent that polls and then asks without waiting never asks in vain.

    Beyond the C suite: there the waits after a poll block, and hide a notification come early.
    """
    subthread = child.spawn_thread()
    if leader_gone:
        child.leader.exit()
    waitable, polled = child.pidfd(), child.pidfd(scope)
    subthread.begin(os._exit, 5)
    assert polled.poll(Deadline().left_ms()) == PollEvent.IN
    assert waitable.peek() == Exited(5)
