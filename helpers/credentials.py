"""Children that take other ids."""

from __future__ import annotations

import os

from helpers import agent, syscalls
from helpers.info import Ids

USERS, GROUPS = Ids(1, 0, 3, 4), Ids(5, 6, 7, 8)
"""All different, and small enough for user namespaces of few ids; see `take` for the 0."""


def take(users: Ids, groups: Ids) -> None:
    """Take four different user ids and group ids.

    The effective user id must stay 0, which keeps the right to set the filesystem ids after it.
    """
    os.setresgid(groups.real, groups.effective, groups.saved)
    os.setresuid(users.real, users.effective, users.saved)
    syscalls.setfsids(users.filesystem, groups.filesystem)
    agent.die_with_parent()  # a change of ids has undone that


def take_alone(user: int, group: int) -> None:
    """Take other filesystem ids, for the calling thread alone."""
    syscalls.setfsids(user, group)
    agent.die_with_parent()


def obstacle_to_end(pid: int) -> str:
    """What would keep us from killing a child that has taken other ids; empty if nothing does."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return "no CAP_KILL: a child of another user could not be ended"
    return ""
