"""Processes that keep a signal pending, so that it shows where it went."""

from __future__ import annotations

import signal

import pytest

from helpers import signals
from helpers.process import ThreadGroup
from helpers.thread import Thread


@pytest.fixture
def target(child: ThreadGroup) -> ThreadGroup:
    """A child that blocks SIGUSR1 in its leader and in all threads that this makes."""
    child.leader.call(signals.block, signal.SIGUSR1)
    return child


@pytest.fixture
def subthread(target: ThreadGroup) -> Thread:
    """A subthread of `target`."""
    return target.spawn_thread()
