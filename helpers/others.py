"""Other pidfds of a process that has one, each made in a way of its own; for parametrized tests."""

from __future__ import annotations

from collections.abc import Callable

from helpers import filesystem
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.uapi import PidfdFlag

Other = Callable[[ThreadGroup, Pidfd], Pidfd]
"""Given the process and a pidfd of it, gives another."""


def opened_again(group: ThreadGroup, _: Pidfd) -> Pidfd:
    """``pidfd_open(2)``."""
    return Pidfd.open(group.pid, role="second")


def opened_as_thread(group: ThreadGroup, _: Pidfd) -> Pidfd:
    """``pidfd_open(2)`` with ``PIDFD_THREAD``, of the leader."""
    return group.pidfd(PidfdFlag.THREAD)


def opened_by_itself(group: ThreadGroup, _: Pidfd) -> Pidfd:
    """``pidfd_open(2)`` by the process itself, which sends it."""
    return group.leader.call(Pidfd.open, group.pid)


def not_blocking(group: ThreadGroup, _: Pidfd) -> Pidfd:
    """``pidfd_open(2)`` with ``PIDFD_NONBLOCK``."""
    return group.pidfd(PidfdFlag.NONBLOCK)


def duplicated(_: ThreadGroup, pidfd: Pidfd) -> Pidfd:
    """``dup(2)``: the same open file."""
    return pidfd.dup()


def by_handle(_: ThreadGroup, pidfd: Pidfd) -> Pidfd:
    """``open_by_handle_at(2)``."""
    return filesystem.open_handle(pidfd, filesystem.handle_of(pidfd))


def by_link(_: ThreadGroup, pidfd: Pidfd) -> Pidfd:
    """``open(2)`` of the link in /proc."""
    return filesystem.reopen(pidfd)
