"""A thread that is traced: it is waited for like a child, and keeps its process from its end."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from typing import NamedTuple

import pytest

from helpers import features, features_process, features_tracing, tracing
from helpers.expect import refused
from helpers.gating import needs
from helpers.info import Exited, Killed
from helpers.observe import Watcher
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.thread import Thread
from helpers.uapi import InfoMask, PidfdFlag, PollEvent
from helpers.uapi_rights import PTRACE_EVENT_STOP

pytestmark = needs(features.PIDFD_THREAD, features_process.WAIT, features_tracing.TRACING)


class Traced(NamedTuple):
    """A subthread, a pidfd of it, and the parent of its process, which is to trace it."""

    tracer: Thread
    thread: Thread
    pidfd: Pidfd

    def peek(self) -> object:
        """What the tracer is told by a wait that leaves everything as it is."""
        return self.tracer.call(Pidfd.peek, self.pidfd)

    def reap(self) -> None:
        """Let the tracer take the end."""
        assert self.tracer.call(Pidfd.waitid, self.pidfd, os.WEXITED | os.WNOHANG) is not None


@pytest.fixture
def untraced(child: ThreadGroup) -> Traced:
    """Before it is traced."""
    thread = child.leader.fork(role="target").spawn_thread()
    return Traced(child.leader, thread, thread.pidfd(PidfdFlag.THREAD))


@pytest.fixture
def traced(untraced: Traced) -> Traced:
    """From then on."""
    tracing.seize(untraced.tracer, untraced.thread)
    return untraced


def test_tracer_may_wait_for_a_thread(untraced: Traced) -> None:
    """By the pidfd of a subthread its tracer can wait, and nobody else: ECHILD.

    Beyond the C suite.
    """
    with refused(errno.ECHILD):
        untraced.peek()
    tracing.seize(untraced.tracer, untraced.thread)
    assert untraced.peek() is None


def test_tracer_is_told_that_a_thread_stops(traced: Traced) -> None:
    """A stop is told by the pidfd, as CLD_TRAPPED with the event that it is by.

    Beyond the C suite.
    """
    tracing.interrupt(traced.tracer, traced.thread)
    due = (traced.thread.tid, os.CLD_TRAPPED, tracing.status_of(PTRACE_EVENT_STOP))
    assert tracing.await_stop(traced.tracer, traced.pidfd) == due
    tracing.resume(traced.tracer, traced.thread)
    assert traced.thread.call(os.getpid) == traced.thread.group.pid


@needs(features.INFO_EXIT)
def test_ended_thread_is_a_zombie_for_its_tracer(traced: Traced) -> None:
    """A thread that is traced is not reaped by the kernel: readable, with its status for a wait.

    Beyond the C suite.
    """
    traced.thread.exit(5)
    assert traced.pidfd.poll() == PollEvent.IN
    assert traced.pidfd.info(InfoMask.EXIT).exit is None
    assert traced.peek() == Exited(5)


@needs(features.INFO_EXIT)
def test_thread_is_reaped_by_its_tracer(traced: Traced) -> None:
    """Hangup and exit information of a thread come when its tracer has waited for it.

    Beyond the C suite.
    """
    traced.thread.exit(5)
    traced.reap()
    assert traced.pidfd.poll() == PollEvent.IN | PollEvent.HUP
    assert traced.pidfd.info(InfoMask.EXIT).exit == Exited(5)
    with refused(errno.ECHILD):
        traced.peek()


def test_process_has_not_ended_before_its_traced_thread_is_reaped(
    traced: Traced, watch: Callable[..., Watcher]
) -> None:
    """A killed process is not notified of while one of its threads waits for a tracer.

    Beyond the C suite.
    """
    target = traced.thread.group
    pidfd = target.pidfd()
    watcher = watch(pidfd)
    target.kill()
    for thread in target.threads:
        thread.await_end()
    watcher.assert_silent("all that is left of the process are zombies", quiet=True)
    assert traced.tracer.call(Pidfd.peek, pidfd) is None
    traced.reap()
    watcher.assert_notified(PollEvent.IN)
    assert target.reap() == Killed(signal.SIGKILL)
