"""PIDFD_GET_INFO tells ids as the caller knows them."""

from __future__ import annotations

from collections.abc import Callable

from helpers import features, features_namespaces, namespaces, records
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
