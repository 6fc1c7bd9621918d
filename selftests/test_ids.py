"""Children that take other ids."""

from __future__ import annotations

from typing import Any

import pytest

from helpers import credentials, features_process, features_rights, procfs, rights
from helpers.deadline import wait_until
from helpers.gating import needs
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
