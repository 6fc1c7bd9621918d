"""CLONE_PIDFD with CLONE_THREAD: a pidfd of a thread from its first moment."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from helpers import clone, features, features_process, procfs
from helpers.gating import needs
from helpers.info import Exited
from helpers.observe import Watcher
from helpers.process import ThreadGroup
from helpers.uapi import InfoMask, PidfdFlag, PollEvent

pytestmark = needs(features_process.CLONE_THREAD_PIDFD)


def test_the_pidfd_of_a_thread_has_thread_scope(child: ThreadGroup) -> None:
    """F_GETFL shows PIDFD_THREAD, as if ``pidfd_open`` had been asked for it; it closes on exec.

    Refused with EINVAL before v6.9. Beyond the C suite.
    """
    made = child.leader.call(clone.thread)
    assert made.pidfd.status_flags == os.O_RDWR | PidfdFlag.THREAD
    assert made.closes_on_exec


@needs(features.GET_INFO)
def test_the_pidfd_is_of_the_new_thread(child: ThreadGroup) -> None:
    """It tells the new thread's id and its thread group's.

    Beyond the C suite.
    """
    made = child.leader.call(clone.thread)
    info = made.pidfd.info()
    assert (info.pid, info.tgid) == (made.tid, child.pid)


@needs(features_process.SEND_SIGNAL)
def test_a_signal_by_the_pidfd_reaches_that_thread_alone(child: ThreadGroup) -> None:
    """Its scope is the thread, so a blocked signal stays pending there and not on the group.

    Beyond the C suite.
    """
    made = child.leader.call(clone.thread)
    made.pidfd.send_signal(signal.SIGUSR2)
    assert procfs.pending_signals(child.pid, made.tid) == ({signal.SIGUSR2}, set())


@needs(features_process.SEND_SIGNAL)
@needs(features_process.POLL_HUP)
def test_the_pidfd_tells_the_end_of_that_thread_alone(
    child: ThreadGroup, watch: Callable[..., Watcher]
) -> None:
    """The pidfd is silent while the thread lives, and hangs up when it has exited.

    The thread group goes on. Beyond the C suite.
    """
    made = child.leader.call(clone.thread)
    watcher = watch(made.pidfd, events=PollEvent.NONE)
    child.leader.call(os.getpid)
    watcher.assert_silent("the leader answered")
    assert made.pidfd.poll() == PollEvent.NONE
    made.pidfd.send_signal(signal.SIGUSR1)
    # Who asks for input may be woken between the exit and the reap, which follows by itself.
    watcher.assert_notified(PollEvent.HUP)
    assert made.pidfd.poll() == PollEvent.IN | PollEvent.HUP
    assert child.leader.call(os.getpid) == child.pid


@needs(features_process.SEND_SIGNAL)
@needs(features.INFO_EXIT)
def test_the_pidfd_keeps_the_exit_status_of_that_thread(
    child: ThreadGroup, watch: Callable[..., Watcher]
) -> None:
    """What a thread exits with is to be had from its pidfd, and from nothing else.

    Beyond the C suite.
    """
    made = child.leader.call(clone.thread)
    watcher = watch(made.pidfd, events=PollEvent.NONE)
    made.pidfd.send_signal(signal.SIGUSR1)
    watcher.assert_notified(PollEvent.HUP)
    assert made.pidfd.info(InfoMask.EXIT).exit == Exited(255)
