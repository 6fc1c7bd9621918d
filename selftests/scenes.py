"""Scenes that do not as scenes should; children import them, and there is no pytest for these."""

from __future__ import annotations

from helpers import syscalls
from helpers.scenes import Rounds, Stage, Victim
from helpers.victims import Stack


def leave_a_child(_stage: Stage) -> Rounds:
    """One task for all rounds, which nobody ends."""
    stack = Stack()
    pid = stack.sleeps()
    fd = syscalls.pidfd_open(pid)
    while True:
        yield Victim(pid, fd)
        yield 1
