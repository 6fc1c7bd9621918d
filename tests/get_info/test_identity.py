"""PIDFD_GET_INFO tells ids as the caller knows them."""

from __future__ import annotations

import os
from collections.abc import Callable

from helpers import (
    credentials,
    features,
    features_namespaces,
    features_rights,
    namespaces,
    procfs,
    records,
)
from helpers.credentials import GROUPS, USERS
from helpers.gating import needs
from helpers.info import Ids
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.uapi import CloneFlag

pytestmark = needs(features.GET_INFO)


@needs(features_namespaces.ID_MAPPING)
def test_ids_are_told_as_the_callers_user_namespace_maps_them(
    child: ThreadGroup, spawn: Callable[..., ThreadGroup]
) -> None:
    """Our ids have other numbers for a caller in a user namespace that maps them.

    Beyond the C suite.
    """
    caller = spawn(CloneFlag.NEWUSER, "caller")
    namespaces.map_ids(caller.pid, 4711)
    found = caller.leader.call(Pidfd.info, child.pidfd())
    ids = Ids(4711, 4711, 4711, 4711)
    assert found == records.of_task(child.leader)._replace(uids=ids, gids=ids)


@needs(features_namespaces.ID_MAPPING, features_rights.OTHER_IDS)
def test_each_of_eight_ids_is_mapped_by_itself(
    child: ThreadGroup, spawn: Callable[..., ThreadGroup]
) -> None:
    """Of eight different ids those that the caller's maps have are told by them, others overflow.

    Beyond the C suite.
    """
    child.leader.call(credentials.take, USERS, GROUPS)
    caller = spawn(CloneFlag.NEWUSER, "caller")
    namespaces.map_ranges(caller.pid, "5 0 1\n10001 1 3", "20006 6 3")
    users, groups = (ids.real for ids in procfs.overflow_ids())
    found = caller.leader.call(Pidfd.info, child.pidfd())
    assert found == records.of_task(child.leader)._replace(
        uids=Ids(10001, 5, 10003, users), gids=Ids(groups, 20006, 20007, 20008)
    )


@needs(features.UNPRIVILEGED_PID_NAMESPACE, features_namespaces.ID_MAPPING)
def test_all_is_told_in_the_numbers_of_the_callers_namespaces(
    spawn: Callable[..., ThreadGroup],
) -> None:
    """Inside its pid and user namespaces a process has other numbers than to us, but one cgroup.

    The cgroup's id is the same in every cgroup namespace. Beyond the C suite.
    """
    init = spawn(CloneFlag.NEWUSER | CloneFlag.NEWPID | CloneFlag.NEWCGROUP, "init")
    namespaces.map_ids(init.pid, 4711)
    member = init.leader.fork(role="member")
    pidfd, inner = member.pidfd(), member.leader.call(os.getpid)
    outside, inside = pidfd.info(), init.leader.call(Pidfd.info, pidfd)
    ids = Ids(4711, 4711, 4711, 4711)
    assert outside == records.of_task(member.leader)
    assert inside == outside._replace(pid=inner, tgid=inner, ppid=1, uids=ids, gids=ids)
    assert outside.pid != inner


@needs(features_namespaces.ID_MAPPING, features_rights.OTHER_IDS)
def test_ids_taken_inside_a_user_namespace_are_told_by_those_outside(
    spawn: Callable[..., ThreadGroup],
) -> None:
    """What a process calls its ids in a user namespace of its own is nothing to us.

    Beyond the C suite.
    """
    child = spawn(CloneFlag.NEWUSER)
    namespaces.map_ranges(child.pid, "0 1 5", "5 1 4")
    child.leader.call(credentials.take, USERS, GROUPS)
    pidfd = child.pidfd()
    inside, outside = child.leader.call(Pidfd.info, pidfd), pidfd.info()
    assert (inside.uids, inside.gids) == (USERS, GROUPS)
    assert (outside.uids, outside.gids) == (Ids(2, 1, 4, 5), Ids(1, 2, 3, 4))
