"""Whoever reaps: the pidfd hangs up, and exit information is there."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable

import pytest

from helpers import features, reaping, records
from helpers.expect import refused
from helpers.gating import needs
from helpers.info import Exited, Killed
from helpers.observe import Watcher
from helpers.process import ThreadGroup
from helpers.uapi import CloneFlag, InfoMask, PollEvent

pytestmark = needs(features.INFO_EXIT)


@pytest.fixture(
    params=[
        pytest.param(reaping.ignore_sigchld, id="SIGCHLD ignored"),
        pytest.param(reaping.leave_no_zombies, id="SA_NOCLDWAIT"),
    ],
)
def grandchild(child: ThreadGroup, request: pytest.FixtureRequest) -> ThreadGroup:
    """A process that nobody waits for: its parent leaves that to the kernel."""
    child.leader.call(request.param)
    return child.leader.fork()


def test_exit_of_a_child_that_nobody_waits_for_is_told(
    child: ThreadGroup, grandchild: ThreadGroup, watch: Callable[..., Watcher]
) -> None:
    """A child that the kernel reaps by itself hangs up, and then its exit is told.

    Beyond the C suite.
    """
    pidfd = grandchild.pidfd()
    watcher = watch(pidfd, events=PollEvent.NONE)
    grandchild.leader.exit_group(5)
    watcher.assert_notified(PollEvent.HUP)
    assert pidfd.info(InfoMask.EXIT) == records.of_reaped(Exited(5))
    with refused(errno.ECHILD):
        child.leader.call(reaping.reap, grandchild.pid)


def test_signal_that_killed_a_child_that_nobody_waits_for_is_told(
    grandchild: ThreadGroup, watch: Callable[..., Watcher]
) -> None:
    """A child that was killed, and that the kernel reaps by itself, is told by the signal.

    Beyond the C suite.
    """
    pidfd = grandchild.pidfd()
    watcher = watch(pidfd, events=PollEvent.NONE)
    grandchild.kill(signal.SIGTERM)
    watcher.assert_notified(PollEvent.HUP)
    assert pidfd.info(InfoMask.EXIT) == records.of_reaped(Killed(signal.SIGTERM))


def test_leader_that_nobody_waits_for_hangs_up_with_its_last_subthread(
    grandchild: ThreadGroup, watch: Callable[..., Watcher]
) -> None:
    """A leader that exited first is reaped by its last subthread, with the group's status.

    Beyond the C suite.
    """
    thread = grandchild.spawn_thread()
    pidfd = grandchild.pidfd()
    watcher = watch(pidfd, events=PollEvent.NONE)
    grandchild.leader.exit(3)
    watcher.assert_silent("the leader has exited alone")
    thread.exit_group(7)
    watcher.assert_notified(PollEvent.HUP)
    assert pidfd.info(InfoMask.EXIT) == records.of_reaped(Exited(7))


@pytest.mark.parametrize(
    ("flags", "adopt"),
    [
        pytest.param(CloneFlag.NONE, reaping.become_subreaper, id="by a subreaper"),
        pytest.param(
            CloneFlag.NEWUSER | CloneFlag.NEWPID,
            os.getpid,
            id="by the init of a pid namespace",
            marks=needs(features.UNPRIVILEGED_PID_NAMESPACE),
        ),
    ],
)
def test_exit_of_an_orphan_is_told_when_it_is_reaped(
    spawn: Callable[..., ThreadGroup], flags: CloneFlag, adopt: Callable[[], object]
) -> None:
    """A zombie whose parent dies is handed on; its exit is told when its new parent reaps it.

    Beyond the C suite.
    """
    adopter = spawn(flags, role="adopter")
    adopter.leader.call(adopt)
    parent = adopter.leader.fork(role="parent")
    orphan = parent.leader.fork(role="orphan")
    inner, pidfd = orphan.leader.call(os.getpid), orphan.pidfd()
    orphan.leader.exit_group(5)
    parent.kill()
    parent.await_end()
    zombie = records.of_task(orphan.leader)
    assert zombie.ppid == adopter.pid
    assert (pidfd.poll(), pidfd.info(InfoMask.EXIT)) == (PollEvent.IN, zombie)
    assert adopter.leader.call(reaping.reap, inner) == Exited(5)
    assert pidfd.poll() == PollEvent.IN | PollEvent.HUP
    assert pidfd.info(InfoMask.EXIT) == records.of_reaped(Exited(5))


@needs(features.UNPRIVILEGED_PID_NAMESPACE)
@pytest.mark.parametrize("before", [pytest.param(None, id="alive"), pytest.param(5, id="zombie")])
def test_end_of_a_pid_namespace_reaps_all_in_it(
    spawn: Callable[..., ThreadGroup], watch: Callable[..., Watcher], before: int | None
) -> None:
    """When the init of a pid namespace dies its members are killed and reaped, zombies as well.

    Beyond the C suite.
    """
    init = spawn(CloneFlag.NEWUSER | CloneFlag.NEWPID, role="init")
    member = init.leader.fork(role="member")
    pidfd = member.pidfd()
    watcher = watch(pidfd, events=PollEvent.NONE)
    if before is not None:
        member.leader.exit_group(before)
    init.kill()
    watcher.assert_notified(PollEvent.HUP)
    outcome = Killed(signal.SIGKILL) if before is None else Exited(before)
    assert pidfd.info(InfoMask.EXIT) == records.of_reaped(outcome)
