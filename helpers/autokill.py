"""Whether a child made with CLONE_PIDFD_AUTOKILL lives."""

from __future__ import annotations

import errno
import os
import signal

from helpers.autoreap import wait_for
from helpers.expect import refused
from helpers.info import Killed
from helpers.observe import Watcher
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.uapi import InfoMask, PollEvent


def assert_killed(parent: ThreadGroup, made: ThreadGroup, observer: Pidfd) -> None:
    """Killed, and reaped by the kernel."""
    Watcher(observer, events=PollEvent.NONE).assert_notified(PollEvent.HUP)
    found = observer.info(InfoMask.EXIT).exit
    assert found == Killed(signal.SIGKILL), f"{made} ended by {found}, Killed(SIGKILL) was due"
    with refused(errno.ECHILD):
        parent.leader.call(wait_for, made.pid)


def assert_alive(made: ThreadGroup, observer: Pidfd) -> None:
    """It answers, and nothing is told of an end."""
    made.leader.call(os.getpid)
    events = observer.poll()
    assert events == PollEvent.NONE, f"poll says {events} of {made}, which lives"
