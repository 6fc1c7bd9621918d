"""Arguments that ``pidfd_open(2)`` refuses."""

from __future__ import annotations

import errno
import os

import pytest

from helpers import features, features_process, getfd
from helpers.expect import refused
from helpers.gating import needs
from helpers.parameters import SCOPES
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.uapi import INT_MAX, INT_MIN, PID_MAX_LIMIT, PidfdFlag

pytestmark = needs(features.PIDFD_OPEN)

BITS = [PidfdFlag(1 << bit) for bit in range(32)]
KNOWN = PidfdFlag.NONBLOCK | PidfdFlag.THREAD


@pytest.mark.parametrize("flags", SCOPES)
@pytest.mark.parametrize("pid", [0, -1, INT_MIN], ids=["0", "-1", "lowest"])
def test_numbers_that_name_no_task_are_invalid(pid: int, flags: PidfdFlag) -> None:
    """A pid must be positive: EINVAL, neither ESRCH nor the caller itself.

    Port of pid_minus_one (pidfd_open_test.c), which takes any errno, ENOSYS too.
    """
    with refused(errno.EINVAL):
        Pidfd.open(pid, flags)


@pytest.mark.parametrize("flags", SCOPES)
@pytest.mark.parametrize("pid", [PID_MAX_LIMIT, INT_MAX], ids=["limit", "highest"])
def test_numbers_that_no_task_has_are_not_found(pid: int, flags: PidfdFlag) -> None:
    """A positive number without a task gives ESRCH.

    Beyond the C suite.
    """
    with refused(errno.ESRCH):
        Pidfd.open(pid, flags)


@needs(features.PIDFD_THREAD, features_process.NONBLOCK)
@pytest.mark.parametrize(
    "unknown", [f for f in BITS if f not in KNOWN], ids=lambda flag: str(int(flag))
)
def test_every_unknown_flag_is_invalid(unknown: PidfdFlag) -> None:
    """Of 32 bits only those of PIDFD_NONBLOCK and PIDFD_THREAD are taken; the kernel's own are not.

    Port of flags_one (pidfd_open_test.c), which tries one bit and takes any errno.
    """
    with refused(errno.EINVAL):
        Pidfd.open(os.getpid(), unknown)
    with refused(errno.EINVAL):
        Pidfd.open(os.getpid(), unknown | KNOWN)


def test_unknown_flags_are_refused_before_the_number_is_looked_at() -> None:
    """A wrong flag with a number that no task has gives EINVAL.

    So a caller can probe for a flag without a process. Beyond the C suite.
    """
    with refused(errno.EINVAL):
        Pidfd.open(INT_MAX, PidfdFlag(1))


def test_a_full_table_takes_no_pidfd(child: ThreadGroup) -> None:
    """Where the caller may not have one descriptor more it gets EMFILE.

    Beyond the C suite.
    """
    with refused(errno.EMFILE):
        child.leader.call(getfd.open_into_full_table, child.pid)
