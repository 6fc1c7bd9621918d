"""Children that take other ids, and what is read of them."""

from __future__ import annotations

from typing import Any

import pytest

from helpers import (
    credentials,
    features,
    features_process,
    features_rights,
    procfs,
    records,
    rights,
)
from helpers.deadline import wait_until
from helpers.gating import needs
from helpers.info import Ids
from helpers.process import ThreadGroup

CHANGES = {
    "become": (rights.become, rights.OTHER_USER),
    "take_share": (rights.take_share, rights.Share.BOTH),
    "take": (credentials.take, credentials.USERS, credentials.GROUPS),
    "take_alone": (credentials.take_alone, 4, 8),
}


@needs(features_rights.OTHER_IDS, features_process.USER_CHANGE)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_child_of_other_ids_dies_with_its_parent(
    change: tuple[Any, ...], child: ThreadGroup
) -> None:
    """The kernel forgets that it shall when its ids change."""
    grandchild = child.leader.fork()
    grandchild.leader.call(*change)
    child.kill()
    wait_until(
        lambda: procfs.task_state(grandchild.pid) in (None, "X", "Z"), "the grandchild to die"
    )


@needs(features.GET_INFO)
def test_expected_record_is_of_one_moment(
    child: ThreadGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ids are read with the numbers, not after them."""
    readings = [procfs.status(child.pid, child.pid)]
    readings[0]["Uid"] = "1 2 3 4"
    monkeypatch.setattr(procfs, "status", lambda *_: readings.pop())
    found = records.of_task(child.leader)
    assert (found.pid, found.uids) == (child.pid, Ids(1, 2, 3, 4))
