"""The pidfds that may be watched of a leader, and the calls to watch them in."""

from __future__ import annotations

import pytest

from helpers.observe import How
from helpers.parameters import OF_SILENT_LEADERS
from helpers.uapi import PidfdFlag


@pytest.fixture(params=OF_SILENT_LEADERS)
def scope(request: pytest.FixtureRequest) -> PidfdFlag:
    """Flags to open the leader's pidfd with."""
    flags: PidfdFlag = request.param
    return flags


@pytest.fixture(params=list(How), ids=lambda how: how.value)
def how(request: pytest.FixtureRequest) -> How:
    """The call in which a watcher sleeps."""
    call: How = request.param
    return call
