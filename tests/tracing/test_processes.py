"""A process that is traced: its end belongs to the tracer first, and to the parent after it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from signal import SIGKILL
from typing import NamedTuple

import pytest

from helpers import features, features_process, features_tracing, records, tracing
from helpers.expect import refused
from helpers.gating import needs
from helpers.info import Killed, Outcome, decode_waitid
from helpers.observe import Watcher
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.thread import Thread
from helpers.uapi import InfoMask, PollEvent

pytestmark = needs(features.PIDFD_OPEN, features_process.WAIT, features_tracing.TRACING)


class Traced(NamedTuple):
    """A zombie that was killed, and who has to do with it."""

    tracer: Thread
    parent: Thread
    target: ThreadGroup
    pidfd: Pidfd

    def reap_as_tracer(self) -> None:
        """Take the end from the parent of the parent, who traces."""
        found = self.tracer.call(Pidfd.waitid, self.pidfd, os.WEXITED | os.WNOHANG)
        assert found is not None, "the tracer is told nothing"
        assert decode_waitid(found) == Killed(SIGKILL)


@pytest.fixture
def traced(child: ThreadGroup) -> Traced:
    """A zombie whose tracer is not its parent, but the parent of that."""
    parent = child.leader.fork(role="parent")
    target = parent.leader.fork(role="target")
    pidfd = target.pidfd()
    tracing.seize(child.leader, target.leader)
    target.kill()
    target.await_end()
    return Traced(child.leader, parent.leader, target, pidfd)


def test_end_is_notified_of_to_everyone(traced: Traced) -> None:
    """A zombie that its tracer has not reaped is readable to whoever polls, the parent included.

    Beyond the C suite.
    """
    found = (traced.pidfd.poll(), traced.parent.call(Pidfd.poll, traced.pidfd))
    assert found == (PollEvent.IN, PollEvent.IN)


def test_parent_has_nothing_to_reap_before_the_tracer(traced: Traced) -> None:
    """To the parent of a zombie that is traced a wait tells nothing, and it keeps its child.

    Beyond the C suite.
    """
    assert traced.parent.call(Pidfd.peek, traced.pidfd) is None
    traced.reap_as_tracer()
    assert traced.parent.call(Pidfd.peek, traced.pidfd) == Killed(SIGKILL)


def test_tracer_that_is_no_parent_is_told_the_end_once(traced: Traced) -> None:
    """By the pidfd the tracer waits as for a child; with the end the process is no longer its own.

    Beyond the C suite.
    """
    traced.reap_as_tracer()
    with refused(errno.ECHILD):
        traced.tracer.call(Pidfd.waitid, traced.pidfd, os.WEXITED | os.WNOHANG)


def _told(pidfd: Pidfd) -> tuple[PollEvent, Outcome | None]:
    return pidfd.poll(), pidfd.info(InfoMask.EXIT).exit


@needs(features.INFO_EXIT)
def test_process_is_reaped_by_its_parent_and_not_by_the_tracer(traced: Traced) -> None:
    """Hangup and exit information come when the parent reaps, after the tracer has.

    Beyond the C suite.
    """
    assert _told(traced.pidfd) == (PollEvent.IN, None)
    traced.reap_as_tracer()
    assert _told(traced.pidfd) == (PollEvent.IN, None)
    assert traced.target.reap() == Killed(SIGKILL)
    assert _told(traced.pidfd) == (PollEvent.IN | PollEvent.HUP, Killed(SIGKILL))


def test_killed_process_that_its_tracer_holds_has_not_ended(
    child: ThreadGroup, watch: Callable[..., Watcher]
) -> None:
    """Between the kill and the end nothing is notified of, and there is nothing to wait for.

    Beyond the C suite.
    """
    target = child.leader.fork(role="target")
    pidfd = target.pidfd()
    watcher = watch(pidfd)
    tracing.kill_and_hold(child.leader, target, pidfd)
    watcher.assert_silent("the target stands before its end", quiet=True)
    assert child.leader.call(Pidfd.peek, pidfd) is None
    tracing.resume(child.leader, target.leader)
    watcher.assert_notified(PollEvent.IN)
    assert child.leader.call(Pidfd.peek, pidfd) == Killed(SIGKILL)


@needs(features.INFO_EXIT)
def test_killed_process_that_its_tracer_holds_has_no_exit_information(child: ThreadGroup) -> None:
    """A process that has not ended is told like a living one.

    Beyond the C suite.
    """
    target = child.leader.fork(role="target")
    pidfd = target.pidfd()
    alive = records.of_task(target.leader)
    tracing.kill_and_hold(child.leader, target, pidfd)
    assert pidfd.info(InfoMask.EXIT) == alive
