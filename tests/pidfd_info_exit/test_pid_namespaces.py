"""Whom a pidfd tells of what, across pid namespaces."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest

from helpers import features, namespaces, reaping, records
from helpers.endings import Ended
from helpers.expect import moved, refused
from helpers.gating import needs
from helpers.info import Exited
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.uapi import CloneFlag, InfoMask, PidfdFlag

pytestmark = needs(features.INFO_EXIT, features.UNPRIVILEGED_PID_NAMESPACE)

NEW = CloneFlag.NEWUSER | CloneFlag.NEWPID

# The errno of a caller in a foreign pid namespace.
FOREIGN = moved(errno.EREMOTE, old=errno.ESRCH, since=(7, 0))

ASKED = pytest.mark.parametrize(
    "asked",
    [
        pytest.param(InfoMask.NONE, id="asked for nothing"),
        pytest.param(InfoMask.EXIT, id="asked for exit information"),
    ],
)


@ASKED
def test_caller_below_the_target_is_refused(
    child: ThreadGroup, spawn: Callable[..., ThreadGroup], asked: InfoMask
) -> None:
    """A process in a pid namespace below the target's is told nothing of it.

    ESRCH until ab89060fbc92 ("pidfs: return -EREMOTE when PIDFD_GET_INFO is called on another
    ns"), v7.0. Beyond the C suite.
    """
    stranger = spawn(NEW, role="stranger")
    pidfd = child.pidfd()
    with refused(*FOREIGN):
        stranger.leader.call(Pidfd.info, pidfd, asked)


@ASKED
def test_caller_beside_the_target_is_refused(
    spawn: Callable[..., ThreadGroup], asked: InfoMask
) -> None:
    """A process in a pid namespace beside the target's, at the same depth, is told nothing.

    Beyond the C suite.
    """
    stranger = spawn(NEW, role="stranger")
    pidfd = spawn(NEW).pidfd()
    with refused(*FOREIGN):
        stranger.leader.call(Pidfd.info, pidfd, asked)


@ASKED
def test_foreign_caller_is_refused_the_zombie(
    zombie: Ended, spawn: Callable[..., ThreadGroup], asked: InfoMask
) -> None:
    """A zombie is not told of to a caller in a foreign pid namespace either.

    Beyond the C suite.
    """
    stranger = spawn(NEW, role="stranger")
    with refused(*FOREIGN):
        stranger.leader.call(Pidfd.info, zombie.pidfd, asked)


@ASKED
def test_foreign_caller_is_refused_the_exit(
    reaped: Ended, spawn: Callable[..., ThreadGroup], asked: InfoMask
) -> None:
    """Exit information of a reaped task is kept from callers in foreign pid namespaces.

    Beyond the C suite.
    """
    stranger = spawn(NEW, role="stranger")
    with refused(*FOREIGN):
        stranger.leader.call(Pidfd.info, reaped.pidfd, asked)


def test_ancestor_is_told_its_own_numbers(spawn: Callable[..., ThreadGroup]) -> None:
    """A process is told by the numbers of the caller's pid namespace: its pid and its parent's.

    Beyond the C suite.
    """
    init = spawn(NEW, role="init")
    member = init.leader.fork(role="member")
    answer = member.pidfd().info(InfoMask.EXIT)
    assert answer == records.of_task(member.leader)
    assert (answer.pid, answer.tgid, answer.ppid) == (member.pid, member.pid, init.pid)


def test_member_is_told_the_inner_numbers(spawn: Callable[..., ThreadGroup]) -> None:
    """The same pidfd tells a caller inside the namespace the numbers that are valid there.

    Beyond the C suite.
    """
    init = spawn(NEW, role="init")
    member = init.leader.fork(role="member")
    inner = member.leader.call(os.getpid)
    answer = init.leader.call(Pidfd.info, member.pidfd(), InfoMask.EXIT)
    assert (answer.pid, answer.tgid, answer.ppid) == (inner, inner, 1)


def test_thread_is_told_by_the_numbers_of_the_caller(spawn: Callable[..., ThreadGroup]) -> None:
    """A subthread's id, its group's and the parent's are numbers of the caller's namespace.

    Beyond the C suite.
    """
    init = spawn(NEW, role="init")
    pidfd = init.spawn_thread().pidfd(PidfdFlag.THREAD)
    outer, inner = pidfd.info(), init.leader.call(Pidfd.info, pidfd)
    assert outer == records.of_task(init.threads[1])
    assert (inner.pid, inner.tgid, inner.ppid) == (2, 1, 0)


def test_parent_outside_the_namespace_is_number_0(spawn: Callable[..., ThreadGroup]) -> None:
    """A process whose parent has no number in the caller's namespace is told, with ppid 0.

    Beyond the C suite; b55eb6eb2a74 ("pidfs: never refuse ppid == 0 in PIDFD_GET_INFO"), v6.16
    and v6.15.3: only init might have no parent before.
    """
    outside = spawn(CloneFlag.NEWUSER, role="outside")
    init = outside.leader.fork(CloneFlag.NEWPID, role="init")
    outside.leader.call(namespaces.enter, init.pidfd(), CloneFlag.NEWPID)
    guest = outside.leader.fork(role="guest")
    inner = guest.leader.call(os.getpid)
    answer = guest.leader.call(Pidfd.info, guest.pidfd())
    assert (answer.pid, answer.tgid, answer.ppid) == (inner, inner, 0)


def test_ancestor_is_told_the_exit(spawn: Callable[..., ThreadGroup]) -> None:
    """Exit information goes to every caller above the task: its namespace's init, and ours.

    Beyond the C suite.
    """
    init = spawn(NEW, role="init")
    member = init.leader.fork(role="member")
    inner, pidfd = member.leader.call(os.getpid), member.pidfd()
    member.leader.exit_group(5)
    assert init.leader.call(reaping.reap, inner) == Exited(5)
    due = records.of_reaped(Exited(5))
    assert init.leader.call(Pidfd.info, pidfd, InfoMask.EXIT) == due
    assert pidfd.info(InfoMask.EXIT) == due
