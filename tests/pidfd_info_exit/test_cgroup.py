"""The cgroup that is told: the one a task is in, and after the reap the one it died in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from helpers import cgroup, features, records
from helpers.cgroup import Cgroup
from helpers.gating import needs
from helpers.info import Exited
from helpers.observe import Watcher
from helpers.process import ThreadGroup
from helpers.uapi import InfoMask, PidfdFlag, PollEvent

pytestmark = needs(features.INFO_EXIT, features.CGROUP)


@pytest.fixture
def other() -> Iterator[Cgroup]:
    """A cgroup beside those of all other tasks."""
    with cgroup.make() as made:
        yield made


def test_cgroup_is_told_by_its_id(child: ThreadGroup, other: Cgroup) -> None:
    """The cgroup of a live task is told by the id that its directory has.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    assert pidfd.info().cgroupid == cgroup.id_of(cgroup.directory_of_own())
    other.take_in(child)
    assert pidfd.info() == records.of_task(child.leader, cgroupid=other.id)


def test_cgroup_of_a_dead_task_is_the_one_it_died_in(
    child: ThreadGroup, scope: PidfdFlag, other: Cgroup
) -> None:
    """A task that was moved and then died is told by its last cgroup, zombie and reaped.

    Beyond the C suite.
    """
    pidfd = child.pidfd(scope)
    other.take_in(child)
    child.leader.exit_group(5)
    assert pidfd.info(InfoMask.EXIT) == records.of_task(child.leader, cgroupid=other.id)
    assert child.reap() == Exited(5)
    assert pidfd.info(InfoMask.EXIT) == records.of_reaped(Exited(5), cgroupid=other.id)


def test_cgroup_of_a_dead_task_outlives_itself(child: ThreadGroup, other: Cgroup) -> None:
    """The id of the cgroup is told when it has been removed: before the reap, and after it.

    Beyond the C suite.
    """
    pidfd, cgroupid = child.pidfd(), other.id
    other.take_in(child)
    child.leader.exit_group(5)
    other.remove()
    assert pidfd.info(InfoMask.EXIT) == records.of_task(child.leader, cgroupid=cgroupid)
    assert child.reap() == Exited(5)
    assert pidfd.info(InfoMask.EXIT) == records.of_reaped(Exited(5), cgroupid=cgroupid)


def test_subthread_that_died_before_a_move_keeps_its_cgroup(
    child: ThreadGroup, watch: Callable[..., Watcher], other: Cgroup
) -> None:
    """Each thread is told by the cgroup of its own death, not by that of its group's.

    Beyond the C suite.
    """
    thread = child.spawn_thread()
    first, last = thread.pidfd(PidfdFlag.THREAD), child.pidfd(PidfdFlag.THREAD)
    thread.exit(5)
    watch(first, events=PollEvent.NONE).assert_notified(PollEvent.HUP)
    other.take_in(child)
    child.leader.exit_group(7)
    assert child.reap() == Exited(7)
    assert first.info(InfoMask.EXIT) == records.of_reaped(Exited(5))
    assert last.info(InfoMask.EXIT) == records.of_reaped(Exited(7), cgroupid=other.id)
