"""Children that enter namespaces of others."""

from __future__ import annotations

from helpers import syscalls
from helpers.pidfd import Pidfd
from helpers.uapi import CloneFlag


def join(pidfd: Pidfd, kinds: CloneFlag) -> None:
    """Enter namespaces of a process; its pid namespace takes in only children made from now on."""
    syscalls.setns(pidfd.fileno(), kinds)
