"""PIDFD_NONBLOCK: a wait that would sleep fails instead."""

from __future__ import annotations

import errno
import os
import signal

import pytest

from helpers import features_process, sleepers
from helpers.expect import refused
from helpers.gating import needs
from helpers.info import Exited, Killed, decode_waitid
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.uapi import PidfdFlag

pytestmark = needs(features_process.WAIT, features_process.NONBLOCK)

STATES = [
    pytest.param(os.WEXITED, id="exited"),
    pytest.param(os.WSTOPPED, id="stopped"),
    pytest.param(os.WCONTINUED, id="continued"),
]


@pytest.mark.parametrize("options", STATES)
def test_a_wait_for_a_running_child_would_block(options: int, child: ThreadGroup) -> None:
    """EAGAIN, whichever state is waited for.

    Port of wait_nonblock (pidfd_wait.c), for every state.
    """
    pidfd = child.leader.fork().pidfd(PidfdFlag.NONBLOCK)
    with refused(errno.EAGAIN):
        sleepers.waitid_at_once(child.leader, pidfd, options)


@pytest.mark.parametrize("options", STATES)
def test_wnohang_gives_nothing_rather_than_an_error(options: int, child: ThreadGroup) -> None:
    """Who asks not to wait gets the answer of old.

    Port of wait_nonblock (pidfd_wait.c).
    """
    assert child.pidfd(PidfdFlag.NONBLOCK).waitid(options | os.WNOHANG) is None


def test_a_zombie_is_reaped_without_a_block(child: ThreadGroup) -> None:
    """Once the child has ended the wait tells so, and reaps.

    Port of wait_nonblock (pidfd_wait.c), which is back in blocking mode by then.
    """
    pidfd = child.pidfd(PidfdFlag.NONBLOCK)
    child.leader.exit_group(42)
    result = pidfd.waitid(os.WEXITED)
    assert result is not None
    assert decode_waitid(result) == Exited(42)
    with refused(errno.ECHILD):
        pidfd.waitid(os.WEXITED)


def test_no_child_is_told_from_a_child_that_runs() -> None:
    """ECHILD and not EAGAIN where there is nobody to wait for.

    Port of wait_nonblock (pidfd_wait.c).
    """
    with Pidfd.open(os.getpid(), PidfdFlag.NONBLOCK, "own") as own:
        with refused(errno.ECHILD):
            own.waitid(os.WEXITED)


def test_a_pidfd_turned_nonblocking_would_block(child: ThreadGroup) -> None:
    """O_NONBLOCK set by F_SETFL is the same as PIDFD_NONBLOCK; the other flags stay.

    Beyond the C suite.
    """
    pidfd = child.leader.fork().pidfd()
    pidfd.status_flags |= os.O_NONBLOCK
    assert pidfd.status_flags == os.O_RDWR | os.O_NONBLOCK
    with refused(errno.EAGAIN):
        sleepers.waitid_at_once(child.leader, pidfd, os.WEXITED)


def test_a_pidfd_turned_blocking_sleeps(child: ThreadGroup) -> None:
    """With O_NONBLOCK taken away by F_SETFL a wait sleeps until the end.

    Port of wait_nonblock (pidfd_wait.c), in which the child may have stopped before the wait.
    """
    grandchild = child.leader.fork()
    pidfd = grandchild.pidfd(PidfdFlag.NONBLOCK)
    pidfd.status_flags &= ~os.O_NONBLOCK
    order = sleepers.begin_waitid(child.leader, pidfd, os.WEXITED)
    assert not order.done(), "the wait was over before the end"
    grandchild.kill()
    assert decode_waitid(order.result()) == Killed(signal.SIGKILL)


def test_a_duplicate_turns_nonblocking_too(child: ThreadGroup) -> None:
    """O_NONBLOCK is of the open file description, which duplicates share.

    Beyond the C suite.
    """
    pidfd = child.leader.fork().pidfd()
    pidfd.dup().status_flags |= os.O_NONBLOCK
    with refused(errno.EAGAIN):
        sleepers.waitid_at_once(child.leader, pidfd, os.WEXITED)


def test_another_pidfd_of_the_process_stays_blocking(child: ThreadGroup) -> None:
    """Each ``pidfd_open`` makes a description of its own, though the inode is one.

    Beyond the C suite.
    """
    grandchild = child.leader.fork()
    blocking, nonblocking = grandchild.pidfd(), grandchild.pidfd(PidfdFlag.NONBLOCK)
    order = sleepers.begin_waitid(child.leader, blocking, os.WEXITED)
    assert not order.done(), "the wait was over before the end"
    assert nonblocking.status_flags == os.O_RDWR | os.O_NONBLOCK
    grandchild.kill()
    assert order.result().si_pid == grandchild.pid


def test_a_nonblocking_pidfd_leaves_other_waits_alone(child: ThreadGroup) -> None:
    """A wait by number for the same child sleeps until its end.

    Beyond the C suite.
    """
    grandchild = child.leader.fork()
    pidfd = grandchild.pidfd(PidfdFlag.NONBLOCK)
    with refused(errno.EAGAIN):
        sleepers.waitid_at_once(child.leader, pidfd, os.WEXITED)
    order = sleepers.begin_reap(child.leader, grandchild.pid)
    assert not order.done(), "the wait was over before the end"
    grandchild.kill()
    assert order.result() == Killed(signal.SIGKILL)
