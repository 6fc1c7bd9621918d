"""Processes that have ended in the ways of the C suite, with a pidfd from before their end."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from helpers import features
from helpers.endings import Ended
from helpers.gating import needs
from helpers.info import Exited, Killed
from helpers.parameters import BOTH_SCOPES
from helpers.process import ThreadGroup
from helpers.uapi import CloneFlag, PidfdFlag


@pytest.fixture(params=BOTH_SCOPES)
def scope(request: pytest.FixtureRequest) -> PidfdFlag:
    """Both kinds of pidfds that a leader can have."""
    flags: PidfdFlag = request.param
    return flags


@pytest.fixture(
    params=[
        pytest.param((CloneFlag.NONE, Killed(signal.SIGKILL), PidfdFlag.NONE), id="killed"),
        pytest.param((CloneFlag.NONE, Exited(0), PidfdFlag.THREAD), id="exited, thread-scoped"),
        pytest.param(
            (CloneFlag.NEWUSER | CloneFlag.NEWPID, Exited(0), PidfdFlag.NONE),
            id="exited in new user and pid namespaces",
            marks=needs(features.UNPRIVILEGED_PID_NAMESPACE),
        ),
    ]
)
def zombie(request: pytest.FixtureRequest, spawn: Callable[..., ThreadGroup]) -> Ended:
    """A child that has ended and is not reaped, by each of the C suite's ways."""
    flags, outcome, scope = request.param
    group = spawn(flags)
    pidfd = group.pidfd(scope)
    if isinstance(outcome, Killed):
        group.kill(outcome.signal)
        group.await_end()
    else:
        group.leader.exit_group(outcome.status)
    return Ended(group, pidfd, outcome)


@pytest.fixture
def reaped(zombie: Ended) -> Ended:
    """The same, reaped by its parent."""
    return zombie.reap()
