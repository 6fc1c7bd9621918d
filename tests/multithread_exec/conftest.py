"""The pidfds that may be watched of a leader, and the calls to watch them in."""

from __future__ import annotations

import pytest

from helpers import features
from helpers.gating import needs
from helpers.observe import How
from helpers.uapi import PidfdFlag


@pytest.fixture(
    params=[
        pytest.param(PidfdFlag.THREAD, id="thread pidfd", marks=needs(features.DELAYED_LEADER)),
        # The rules of this folder hold for these since pidfds can be polled.
        pytest.param(PidfdFlag.NONE, id="process pidfd", marks=needs(features.PIDFD_OPEN)),
    ]
)
def scope(request: pytest.FixtureRequest) -> PidfdFlag:
    """Flags to open the leader's pidfd with."""
    flags: PidfdFlag = request.param
    return flags


@pytest.fixture(params=list(How), ids=lambda how: how.value)
def how(request: pytest.FixtureRequest) -> How:
    """The call in which a watcher sleeps."""
    call: How = request.param
    return call
