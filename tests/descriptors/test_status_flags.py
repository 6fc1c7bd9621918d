"""F_SETFL changes nothing of what the kernel itself keeps among the flags of a pidfd."""

from __future__ import annotations

import os

import pytest

from helpers import features
from helpers.gating import needs
from helpers.parameters import SCOPES
from helpers.process import ThreadGroup
from helpers.uapi import PidfdFlag

pytestmark = needs(features.PIDFD_OPEN)

KEPT = os.O_EXCL | os.O_TRUNC
"""PIDFD_THREAD and PIDFD_AUTOKILL (v7.1), by their names among the flags of open(2)."""


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("asked", [0, KEPT], ids=["all off", "all on"])
def test_f_setfl_does_not_change_the_scope(
    child: ThreadGroup, scope: PidfdFlag, asked: int
) -> None:
    """Neither a process's pidfd becomes a thread's, nor a thread's a process's.

    fcntl(2) names the flags that F_SETFL changes, and neither is among them. Beyond the C suite.
    """
    pidfd = child.pidfd(scope)
    pidfd.status_flags = asked
    assert pidfd.status_flags == os.O_RDWR | scope


def test_f_setfl_does_not_make_a_close_that_kills(child: ThreadGroup) -> None:
    """A process whose pidfd was asked for PIDFD_AUTOKILL by F_SETFL outlives the close.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    pidfd.status_flags |= KEPT
    pidfd.close()
    assert child.leader.call(os.getpid) == child.pid
