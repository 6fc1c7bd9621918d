"""A pidfd that is copied, into another table or the same, is the same open file description."""

from __future__ import annotations

import os
from signal import SIGUSR1

import pytest

from helpers import features, features_process, procfs, signals, ways
from helpers.features_getfd import PIDFD_GETFD
from helpers.gating import needs
from helpers.process import ThreadGroup
from helpers.uapi import PidfdFlag
from helpers.ways import Way

pytestmark = needs(features.PIDFD_THREAD, features_process.NONBLOCK)

COPIES = pytest.mark.parametrize(
    "way",
    [
        pytest.param(ways.duplicate, id="duplicated"),
        pytest.param(ways.receive, id="received by SCM_RIGHTS"),
        pytest.param(ways.copy, id="copied by pidfd_getfd", marks=needs(PIDFD_GETFD)),
    ],
)


@needs(features_process.SEND_SIGNAL)
@COPIES
def test_copy_speaks_to_the_same_thread(child: ThreadGroup, way: Way) -> None:
    """A copy of a thread's pidfd has thread scope: a signal is for that thread alone.

    Beyond the C suite.
    """
    child.leader.call(signals.block, SIGUSR1)
    thread = child.spawn_thread()
    copied = way(thread.pidfd(PidfdFlag.THREAD))
    assert copied.status_flags == os.O_RDWR | PidfdFlag.THREAD
    copied.send_signal(SIGUSR1)
    found = [procfs.pending_signals(child.pid, tid) for tid in (child.pid, thread.tid)]
    assert found == [(set(), set()), ({SIGUSR1}, set())]


@COPIES
def test_copy_shares_what_f_setfl_changes(child: ThreadGroup, way: Way) -> None:
    """O_NONBLOCK set by a copy is set for the original, and taken away by the original for both.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    copied = way(pidfd)
    copied.status_flags |= os.O_NONBLOCK
    assert pidfd.status_flags == os.O_RDWR | os.O_NONBLOCK
    pidfd.status_flags &= ~os.O_NONBLOCK
    assert copied.status_flags == os.O_RDWR
