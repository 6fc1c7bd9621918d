"""Arguments that ``waitid(P_PIDFD)`` refuses."""

from __future__ import annotations

import errno
import os

import pytest

from helpers import features_process, features_targets, targets
from helpers.expect import refused
from helpers.gating import needs
from helpers.process import ThreadGroup
from helpers.syscalls import waitid
from helpers.targets import NotAPidfd
from helpers.uapi import P_PIDFD, WALL

pytestmark = needs(features_process.WAIT)


def test_a_process_directory_is_refused() -> None:
    """EBADF for /proc/PID: it may be signalled, and not waited for.

    Port of wait_simple (pidfd_wait.c), which takes any errno.
    """
    with targets.process_directory(os.getpid()) as directory:
        with refused(errno.EBADF):
            waitid(P_PIDFD, directory.fileno(), os.WEXITED | os.WNOHANG)


@pytest.mark.parametrize("kind", features_targets.kinds())
def test_what_is_no_pidfd_is_refused(kind: NotAPidfd) -> None:
    """EBADF for every descriptor of another kind.

    Port of wait_simple (pidfd_wait.c), which tries /dev/null alone and takes any errno.
    """
    with targets.make(kind) as file:
        with refused(errno.EBADF):
            waitid(P_PIDFD, file.fileno(), os.WEXITED | os.WNOHANG)


def test_a_closed_descriptor_is_refused(child: ThreadGroup) -> None:
    """EBADF for a number that is not open.

    Beyond the C suite.
    """
    with child.pidfd() as pidfd:
        number = pidfd.fileno()
    with refused(errno.EBADF):
        waitid(P_PIDFD, number, os.WEXITED | os.WNOHANG)


@pytest.mark.parametrize("number", [-1, -(1 << 31)], ids=["-1", "lowest"])
def test_a_negative_number_is_invalid(number: int) -> None:
    """EINVAL rather than EBADF: it names no descriptor at all.

    Beyond the C suite.
    """
    with refused(errno.EINVAL):
        waitid(P_PIDFD, number, os.WEXITED | os.WNOHANG)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(0, id="none"),
        pytest.param(os.WNOHANG, id="no state, WNOHANG"),
        pytest.param(os.WNOWAIT | WALL, id="no state, WNOWAIT and __WALL"),
        pytest.param(os.WEXITED | os.WNOHANG | 1 << 4, id="an unknown one"),
    ],
)
def test_options_without_a_state_or_with_an_unknown_bit_are_invalid(
    options: int, child: ThreadGroup
) -> None:
    """At least one of WEXITED, WSTOPPED and WCONTINUED must be asked for, and nothing unknown.

    Beyond the C suite.
    """
    with refused(errno.EINVAL):
        child.pidfd().waitid(options)
