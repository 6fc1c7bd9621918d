"""Limits that a process sets for the user namespace it is in."""

from __future__ import annotations

PID_NAMESPACES = "/proc/sys/user/max_pid_namespaces"
USER_NAMESPACES = "/proc/sys/user/max_user_namespaces"


def allow(limit: str, count: int) -> None:
    """Let no more than `count` such namespaces exist that were made in the caller's namespace."""
    with open(limit, "w", encoding="ascii") as file:
        file.write(str(count))
