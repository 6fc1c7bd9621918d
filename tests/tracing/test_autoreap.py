"""A child made with CLONE_AUTOREAP that is traced is the tracer's to reap first."""

from __future__ import annotations

import os
from signal import SIGKILL
from typing import NamedTuple

import pytest

from helpers import features, features_tracing, tracing
from helpers.autokill import assert_killed
from helpers.autoreap import bear
from helpers.features_autoreap import AUTOREAP
from helpers.features_process import CLONE3
from helpers.gating import needs
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.thread import Thread
from helpers.uapi import WALL, InfoMask, PollEvent

pytestmark = needs(CLONE3, AUTOREAP, features.INFO_EXIT, features_tracing.TRACING)


class Traced(NamedTuple):
    """A killed autoreap child that a thread traces, of its parent or of another process."""

    tracer: Thread
    parent: ThreadGroup
    target: ThreadGroup
    pidfd: Pidfd


@pytest.fixture(params=["its parent", "another process"])
def traced(request: pytest.FixtureRequest, child: ThreadGroup) -> Traced:
    """A thread of `child` traces."""
    parent = child if request.param == "its parent" else child.leader.fork(role="parent")
    target, pidfd = bear(parent.leader)
    tracer = child.spawn_thread("tracer")
    tracing.seize(tracer, target.leader)
    target.kill()
    target.await_end()
    return Traced(tracer, parent, target, pidfd)


def test_child_that_is_traced_leaves_a_zombie(traced: Traced) -> None:
    """The kernel does not reap it: it is readable, tells no end yet, and the tracer can wait.

    Beyond the C suite.
    """
    assert traced.pidfd.poll() == PollEvent.IN
    assert traced.pidfd.info(InfoMask.EXIT).exit is None
    found = traced.tracer.call(
        Pidfd.waitid, traced.pidfd, os.WEXITED | os.WNOWAIT | os.WNOHANG | WALL
    )
    assert found is not None
    assert (found.si_pid, found.si_status) == (traced.target.pid, SIGKILL)


def test_child_is_reaped_with_the_wait_of_its_tracer(traced: Traced) -> None:
    """What the tracer has waited for is left to nobody, not to a parent beside it either.

    Beyond the C suite.
    """
    assert traced.tracer.call(Pidfd.waitid, traced.pidfd, os.WEXITED | WALL) is not None
    assert_killed(traced.parent, traced.target, traced.pidfd)


def test_child_is_reaped_with_the_end_of_its_tracer(traced: Traced) -> None:
    """When the thread that traces ends, the kernel reaps the zombie that it leaves.

    Beyond the C suite.
    """
    assert traced.pidfd.info(InfoMask.EXIT).exit is None
    traced.tracer.exit()
    assert_killed(traced.parent, traced.target, traced.pidfd)
