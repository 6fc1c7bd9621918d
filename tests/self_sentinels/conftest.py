"""The scenario of most tests here: a leader and a subthread, with SIGUSR1 blocked in both."""

from __future__ import annotations

import signal

import pytest

from helpers import signals
from helpers.process import ThreadGroup
from helpers.sentinels import Sentinel
from helpers.thread import Thread


@pytest.fixture
def group(child: ThreadGroup) -> ThreadGroup:
    """A child of two threads in which SIGUSR1 stays pending, in the queue it was sent to."""
    child.leader.call(signals.block, signal.SIGUSR1)
    child.spawn_thread("subthread")
    return child


@pytest.fixture(params=["leader", "subthread"])
def caller(request: pytest.FixtureRequest, group: ThreadGroup) -> Thread:
    """The thread of the group that makes the calls."""
    return {thread.role: thread for thread in group.threads}[request.param]


@pytest.fixture(params=Sentinel, ids=str)
def sentinel(request: pytest.FixtureRequest) -> Sentinel:
    """Each of the two sentinels."""
    found: Sentinel = request.param
    return found
