"""``pidfd_send_signal(2)`` to oneself, by sentinel: which thread gets the signal."""

from __future__ import annotations

import errno
import os
import signal
from signal import SIGTERM, SIGUSR1

import pytest

from helpers import features, features_process, signals
from helpers.expect import refused
from helpers.gating import needs
from helpers.info import Killed
from helpers.process import ThreadGroup
from helpers.sentinels import Sentinel, pending
from helpers.syscalls import pidfd_send_signal
from helpers.thread import Thread
from helpers.uapi import INT_MAX, INT_MIN

pytestmark = needs(features.SELF_SENTINELS)


def test_thread_sentinel_is_the_calling_thread_and_no_other(
    group: ThreadGroup, caller: Thread
) -> None:
    """A signal by PIDFD_SELF_THREAD is queued for the caller alone.

    Port of test_pidfd_send_signal_simple_success (pidfd_test.c), which sees the handler run in
    the caller, as it does for a signal to the group: complete_signal() prefers that thread.
    """
    caller.call(pidfd_send_signal, Sentinel.THREAD.number, SIGUSR1)
    assert pending(group) == {caller.role: {"SIGUSR1"}}


def test_group_sentinel_is_the_whole_thread_group(group: ThreadGroup, caller: Thread) -> None:
    """A signal by PIDFD_SELF_THREAD_GROUP is queued for the group, whichever thread calls.

    Port of test_pidfd_send_signal_simple_success (pidfd_test.c), which sends from a lone leader.
    """
    caller.call(pidfd_send_signal, Sentinel.GROUP.number, SIGUSR1)
    assert pending(group) == {"the group": {"SIGUSR1"}}


def test_thread_signal_is_not_taken_by_a_thread_that_would(child: ThreadGroup) -> None:
    """What the caller blocks waits for the caller, though it would end the leader at once.

    Beyond the C suite.
    """
    subthread = child.spawn_thread("subthread")
    subthread.call(signals.block, SIGTERM)
    subthread.call(pidfd_send_signal, Sentinel.THREAD.number, SIGTERM)
    assert child.leader.call(os.getpid) == child.pid
    assert pending(child) == {"subthread": {"SIGTERM"}}


def test_group_signal_is_taken_by_a_thread_that_does_not_block_it(child: ThreadGroup) -> None:
    """What the caller blocks and the leader does not reaches the leader.

    Beyond the C suite.
    """
    subthread = child.spawn_thread("subthread")
    subthread.call(signals.block, SIGTERM)
    child.await_end(subthread.begin(pidfd_send_signal, Sentinel.GROUP.number, SIGTERM))
    assert child.reap() == Killed(SIGTERM)


def test_fatal_signal_ends_the_whole_group(
    group: ThreadGroup, caller: Thread, sentinel: Sentinel
) -> None:
    """A signal to one thread that is fatal to it ends all: SIGTERM by either sentinel.

    Beyond the C suite.
    """
    group.await_end(caller.begin(pidfd_send_signal, sentinel.number, SIGTERM))
    assert group.reap() == Killed(SIGTERM)


def test_signal_0_only_asks(group: ThreadGroup, caller: Thread, sentinel: Sentinel) -> None:
    """Signal 0 by either sentinel succeeds, as the caller exists, and leaves nothing pending.

    Beyond the C suite.
    """
    caller.call(pidfd_send_signal, sentinel.number, 0)
    assert pending(group) == {}


@pytest.mark.parametrize(
    "number",
    [-1, signal.NSIG, INT_MAX, INT_MIN],
    ids=["-1", "first beyond the last", "highest", "lowest"],
)
def test_numbers_of_no_signal_are_invalid(
    group: ThreadGroup, sentinel: Sentinel, number: int
) -> None:
    """A sentinel excuses no signal number beyond the last: EINVAL.

    Beyond the C suite, which sends no wrong signal.
    """
    with refused(errno.EINVAL):
        group.leader.call(pidfd_send_signal, sentinel.number, number)
    group.leader.call(pidfd_send_signal, sentinel.number, SIGUSR1)


@needs(features_process.SIGNAL_QUEUE)
def test_last_signal_is_taken(group: ThreadGroup, sentinel: Sentinel) -> None:
    """The last real-time signal is one: it ends a group that neither blocks nor handles it.

    Beyond the C suite.
    """
    group.await_end(group.leader.begin(pidfd_send_signal, sentinel.number, signal.NSIG - 1))
    assert group.reap() == Killed(signal.NSIG - 1)


def test_sentinel_of_a_child_is_not_its_parent(group: ThreadGroup, sentinel: Sentinel) -> None:
    """A sentinel is looked up at the call: unlike an inherited pidfd, it stands for the child.

    Beyond the C suite.
    """
    grandchild = group.threads[1].fork()
    grandchild.leader.call(pidfd_send_signal, sentinel.number, SIGUSR1)
    queue = "grandchild" if sentinel is Sentinel.THREAD else "the group"
    assert (pending(group), pending(grandchild)) == ({}, {queue: {"SIGUSR1"}})


def test_sentinel_outlives_the_leader(group: ThreadGroup, sentinel: Sentinel) -> None:
    """A leader that exited alone is still the group's: both sentinels go on working.

    Beyond the C suite.
    """
    group.leader.exit()
    group.threads[1].call(pidfd_send_signal, sentinel.number, SIGUSR1)
    queue = "subthread" if sentinel is Sentinel.THREAD else "the group"
    assert pending(group) == {queue: {"SIGUSR1"}}


def test_sentinel_follows_a_subthread_that_executes(child: ThreadGroup, sentinel: Sentinel) -> None:
    """The subthread of an exec has become the leader, with its number, and so for a sentinel.

    Beyond the C suite. A whole interpreter is executed, hence the 50 ms.
    """
    child.spawn_thread().exec_agent()
    child.threads = [child.leader]
    child.leader.call(signals.block, SIGUSR1)
    child.leader.call(pidfd_send_signal, sentinel.number, SIGUSR1)
    queue = "leader" if sentinel is Sentinel.THREAD else "the group"
    assert pending(child) == {queue: {"SIGUSR1"}}
