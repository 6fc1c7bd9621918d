"""What children do about children of their own that end."""

from __future__ import annotations

import os
import signal

from helpers import syscalls
from helpers.info import Outcome, decode_waitid
from helpers.uapi import P_PID, PR_SET_CHILD_SUBREAPER, SA_NOCLDWAIT, WALL


def reap(pid: int) -> Outcome:
    """Wait for the child `pid`, by the caller's numbering, and reap it."""
    result = os.waitid(P_PID, pid, os.WEXITED | WALL)
    assert result is not None, "a waitid without WNOHANG came back empty"
    return decode_waitid(result)


def become_subreaper() -> None:
    """Adopt the orphans among the descendants."""
    syscalls.prctl(PR_SET_CHILD_SUBREAPER, 1)


def ignore_sigchld() -> None:
    """Leave the reaping to the kernel: ``SIGCHLD`` ignored."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def leave_no_zombies() -> None:
    """Leave the reaping to the kernel: ``SIGCHLD`` by default, with ``SA_NOCLDWAIT``."""
    syscalls.default_action(signal.SIGCHLD, SA_NOCLDWAIT)
