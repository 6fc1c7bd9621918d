"""``waitid(P_PIDFD)``: whom it waits for."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable

import pytest

from helpers import features_process, sleepers
from helpers.expect import refused
from helpers.gating import needs
from helpers.info import Killed
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.uapi import WALL, WCLONE, WNOTHREAD

pytestmark = needs(features_process.WAIT)


def test_the_end_of_another_child_does_not_end_a_wait(child: ThreadGroup) -> None:
    """A parent asleep for one child sleeps on when another one ends.

    Beyond the C suite.
    """
    one, other = child.leader.fork(role="one"), child.leader.fork(role="other")
    waiter = child.spawn_thread()
    order = sleepers.begin_waitid(waiter, one.pidfd(), os.WEXITED)
    other.kill()
    assert other.reap() == Killed(signal.SIGKILL)
    assert not order.done(), "the wait ended with the other child"
    one.kill()
    assert order.result().si_pid == one.pid


def test_a_child_of_one_thread_is_waited_for_by_another(child: ThreadGroup) -> None:
    """Children belong to the process, unless __WNOTHREAD asks for the thread's own.

    Beyond the C suite.
    """
    pidfd, waiter = child.leader.fork().pidfd(), child.spawn_thread()
    assert waiter.call(Pidfd.waitid, pidfd, os.WEXITED | os.WNOHANG) is None
    with refused(errno.ECHILD):
        waiter.call(Pidfd.waitid, pidfd, os.WEXITED | os.WNOHANG | WNOTHREAD)


@pytest.mark.parametrize(
    ("exit_signal", "options", "seen"),
    [
        pytest.param(0, 0, False, id="no signal, plain wait"),
        pytest.param(0, WCLONE, True, id="no signal, __WCLONE"),
        pytest.param(0, WALL, True, id="no signal, __WALL"),
        pytest.param(signal.SIGUSR1, 0, False, id="SIGUSR1, plain wait"),
        pytest.param(signal.SIGUSR1, WALL, True, id="SIGUSR1, __WALL"),
        pytest.param(signal.SIGCHLD, WCLONE, False, id="SIGCHLD, __WCLONE"),
        pytest.param(signal.SIGCHLD, WALL, True, id="SIGCHLD, __WALL"),
    ],
)
def test_a_wait_sees_children_by_their_exit_signal(
    exit_signal: int, options: int, seen: bool, child: ThreadGroup
) -> None:
    """A plain wait sees those that send SIGCHLD, __WCLONE the others, __WALL all.

    Beyond the C suite, whose checks for zombies (pidfd_autoreap_test.c) ask by a plain wait for
    children without an exit signal, and so could never see one.
    """
    child.leader.call(signal.signal, signal.SIGUSR1, signal.SIG_IGN)
    grandchild = child.leader.fork(exit_signal=exit_signal)
    pidfd, options = grandchild.pidfd(), options | os.WEXITED | os.WNOHANG
    grandchild.kill()
    grandchild.await_end()
    if seen:
        result = child.leader.call(Pidfd.waitid, pidfd, options)
        assert result is not None
        assert result.si_pid == grandchild.pid
    else:
        with refused(errno.ECHILD):
            child.leader.call(Pidfd.waitid, pidfd, options)


def test_a_reaped_child_is_no_child(child: ThreadGroup) -> None:
    """A pidfd that outlives the reap has nobody to wait for.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    child.kill()
    child.reap()
    with refused(errno.ECHILD):
        pidfd.waitid(os.WEXITED | os.WNOHANG | WALL)


@pytest.mark.parametrize("whose", ["own", "parent", "sibling", "grandchild"])
def test_only_a_parent_waits(
    whose: str, child: ThreadGroup, spawn: Callable[..., ThreadGroup]
) -> None:
    """A pidfd may go anywhere, the right to wait stays with the parent.

    Port of wait_nonblock (pidfd_wait.c) for the caller itself; beyond the C suite for the others.
    """
    pids: dict[str, Callable[[], int]] = {
        "own": lambda: child.pid,
        "parent": os.getpid,
        "sibling": lambda: spawn().pid,
        "grandchild": lambda: child.leader.fork().leader.fork().pid,
    }
    with Pidfd.open(pids[whose](), role=whose) as pidfd:
        with refused(errno.ECHILD):
            child.leader.call(Pidfd.waitid, pidfd, os.WEXITED | os.WNOHANG | WALL)


def test_a_sleeping_wait_outlives_its_descriptor(child: ThreadGroup) -> None:
    """Who waits has the process in hand: another thread's close of the pidfd changes nothing.

    Beyond the C suite.
    """
    grandchild, closer = child.leader.fork(), child.spawn_thread()
    order = sleepers.begin_waitid_without(child.leader, closer, grandchild.pid)
    grandchild.kill(signal.SIGTERM)
    result = order.result()
    assert (result.si_pid, result.si_status) == (grandchild.pid, signal.SIGTERM)
