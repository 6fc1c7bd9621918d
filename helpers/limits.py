"""Limits that a process sets for the user namespace it is in."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from helpers.uapi import CloneFlag

if TYPE_CHECKING:
    from helpers.process import ThreadGroup

PID_NAMESPACES = "/proc/sys/user/max_pid_namespaces"
USER_NAMESPACES = "/proc/sys/user/max_user_namespaces"


def allow(limit: str, count: int) -> None:
    """Let no more than `count` such namespaces exist that were made in the caller's namespace."""
    with open(limit, "w", encoding="ascii") as file:
        file.write(str(count))


def is_reached(maker: ThreadGroup, kind: CloneFlag) -> bool:
    """Whether `maker` is refused another namespace of that kind for its limit, with ENOSPC."""
    try:
        maker.leader.fork(kind)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return True
    return False
