"""Who a task is, as long as it is not reaped: its ids against those in /proc."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from helpers import credentials, features, features_rights, procfs, records
from helpers.credentials import GROUPS, USERS
from helpers.gating import needs
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.uapi import CloneFlag, PidfdFlag

pytestmark = needs(features.GET_INFO, features.PIDFD_THREAD)


def test_process_is_told_as_proc_has_it(child: ThreadGroup, scope: PidfdFlag) -> None:
    """Of a live process: pid, tgid, parent, the eight ids, cgroup, and a mask that says so.

    Beyond the C suite.
    """
    answer = child.pidfd(scope).info()
    assert answer == records.of_task(child.leader)
    assert (answer.pid, answer.tgid, answer.ppid) == (child.pid, child.pid, os.getpid())


def test_subthread_is_told_with_its_group(child: ThreadGroup) -> None:
    """Of a subthread: its own id, the group's as tgid, and the group's parent.

    Beyond the C suite.
    """
    thread = child.spawn_thread()
    answer = thread.pidfd(PidfdFlag.THREAD).info()
    assert answer == records.of_task(thread)
    assert (answer.pid, answer.tgid, answer.ppid) == (thread.tid, child.pid, os.getpid())


def test_grandchild_is_told_with_its_parent(child: ThreadGroup) -> None:
    """The parent that is told is the process that forked, not the caller.

    Beyond the C suite.
    """
    grandchild = child.leader.fork()
    answer = grandchild.pidfd().info()
    assert answer == records.of_task(grandchild.leader)
    assert answer.ppid == child.pid


@needs(features_rights.OTHER_IDS)
@pytest.mark.parametrize(
    "ended", [pytest.param(False, id="alive"), pytest.param(True, id="zombie")]
)
def test_each_of_eight_ids_is_told_in_its_place(child: ThreadGroup, ended: bool) -> None:
    """Real, effective, saved and filesystem ids of user and group are not mixed up.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    child.leader.call(credentials.take, USERS, GROUPS)
    if ended:
        child.leader.exit_group()
    answer = pidfd.info()
    assert answer == records.of_task(child.leader)
    assert (answer.uids, answer.gids) == (USERS, GROUPS)


@needs(features_rights.OTHER_IDS)
def test_ids_of_a_subthread_are_its_own(child: ThreadGroup) -> None:
    """Credentials belong to the thread: the leader's change does not show in a subthread.

    Beyond the C suite.
    """
    thread = child.spawn_thread()
    before = thread.pidfd(PidfdFlag.THREAD).info()
    child.leader.call(credentials.take_alone, USERS.filesystem, GROUPS.filesystem)
    assert thread.pidfd(PidfdFlag.THREAD).info() == before
    answer = child.pidfd(PidfdFlag.THREAD).info()
    assert answer == records.of_task(child.leader)
    assert before.uids is not None
    assert answer.uids == before.uids._replace(filesystem=USERS.filesystem)


@needs(features.USER_NAMESPACE)
def test_ids_without_a_number_for_the_caller_overflow(
    child: ThreadGroup, spawn: Callable[..., ThreadGroup]
) -> None:
    """Ids are told as the caller's user namespace maps them, and by the overflow ids if not.

    Beyond the C suite.
    """
    caller = spawn(CloneFlag.NEWUSER, role="caller")
    answer = caller.leader.call(Pidfd.info, child.pidfd())
    assert (answer.uids, answer.gids) == procfs.overflow_ids()
    assert (answer.pid, answer.ppid) == (child.pid, os.getpid())
