"""Limits that a process sets for the user namespace it is in."""

from __future__ import annotations

PID_NAMESPACES = "/proc/sys/user/max_pid_namespaces"


def allow_pid_namespaces(count: int) -> None:
    """Let no more than `count` pid namespaces exist that were made in the caller's namespace."""
    with open(PID_NAMESPACES, "w", encoding="ascii") as file:
        file.write(str(count))
