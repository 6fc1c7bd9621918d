"""The scope flags of ``pidfd_send_signal(2)`` with sentinels."""

from __future__ import annotations

import errno
import os
from signal import SIGUSR1

import pytest

from helpers import features
from helpers.expect import refused
from helpers.gating import needs
from helpers.process import ThreadGroup
from helpers.sentinels import Sentinel, pending
from helpers.syscalls import pidfd_send_signal
from helpers.thread import Thread
from helpers.uapi import SignalFlag

pytestmark = needs(features.SELF_SENTINELS)

SCOPES = [SignalFlag.THREAD, SignalFlag.THREAD_GROUP, SignalFlag.PROCESS_GROUP]
TWO_OR_MORE = [
    SignalFlag.THREAD | SignalFlag.THREAD_GROUP,
    SignalFlag.THREAD | SignalFlag.PROCESS_GROUP,
    SignalFlag.THREAD_GROUP | SignalFlag.PROCESS_GROUP,
    SignalFlag.THREAD | SignalFlag.THREAD_GROUP | SignalFlag.PROCESS_GROUP,
]


def send(thread: Thread, sentinel: Sentinel, flags: SignalFlag) -> None:
    """Let `thread` send SIGUSR1 by `sentinel` with `flags`."""
    thread.call(pidfd_send_signal, sentinel.number, SIGUSR1, None, flags)


def test_thread_flag_keeps_the_thread_sentinel(group: ThreadGroup, caller: Thread) -> None:
    """PIDFD_SIGNAL_THREAD says what PIDFD_SELF_THREAD means anyway.

    Beyond the C suite, as all here.
    """
    send(caller, Sentinel.THREAD, SignalFlag.THREAD)
    assert pending(group) == {caller.role: {"SIGUSR1"}}


def test_thread_flag_narrows_the_group_sentinel_to_the_leader(
    group: ThreadGroup, caller: Thread
) -> None:
    """PIDFD_SELF_THREAD_GROUP is the leader's number: as a thread it is the leader, not the caller.

    Beyond the C suite.
    """
    send(caller, Sentinel.GROUP, SignalFlag.THREAD)
    assert pending(group) == {"leader": {"SIGUSR1"}}


def test_thread_group_flag_widens_either_sentinel_to_the_group(
    group: ThreadGroup, caller: Thread, sentinel: Sentinel
) -> None:
    """PIDFD_SIGNAL_THREAD_GROUP with PIDFD_SELF_THREAD is the group of that thread.

    Beyond the C suite.
    """
    send(caller, sentinel, SignalFlag.THREAD_GROUP)
    assert pending(group) == {"the group": {"SIGUSR1"}}


@pytest.mark.parametrize(
    ("role", "sentinel"),
    [("leader", Sentinel.THREAD), ("leader", Sentinel.GROUP), ("subthread", Sentinel.GROUP)],
    ids=str,
)
def test_process_group_flag_reaches_every_process_of_it(
    group: ThreadGroup, role: str, sentinel: Sentinel
) -> None:
    """PIDFD_SIGNAL_PROCESS_GROUP needs the number of a process group: of a leader that leads one.

    Beyond the C suite.
    """
    group.leader.call(os.setpgid, 0, 0)
    member = group.leader.fork(role="member")
    sender = {thread.role: thread for thread in group.threads}[role]
    send(sender, sentinel, SignalFlag.PROCESS_GROUP)
    due = {"the group": {"SIGUSR1"}}
    assert (pending(group), pending(member)) == (due, due)


def test_process_group_flag_finds_none_by_the_thread_sentinel_of_a_subthread(
    group: ThreadGroup,
) -> None:
    """The number of a subthread is never that of a process group: ESRCH.

    Beyond the C suite.
    """
    group.leader.call(os.setpgid, 0, 0)
    with refused(errno.ESRCH):
        send(group.threads[1], Sentinel.THREAD, SignalFlag.PROCESS_GROUP)
    assert pending(group) == {}


@pytest.mark.parametrize("index", [0, 1], ids=["leader", "subthread"])
def test_process_group_flag_finds_none_in_a_process_that_leads_none(
    group: ThreadGroup, index: int, sentinel: Sentinel
) -> None:
    """The flag means the group led by the target, not the one that it is in: ESRCH.

    Beyond the C suite.
    """
    group.leader.call(os.setpgid, 0, 0)
    member = group.leader.fork(role="member")
    member.spawn_thread("subthread")
    with refused(errno.ESRCH):
        send(member.threads[index], sentinel, SignalFlag.PROCESS_GROUP)
    assert (pending(group), pending(member)) == ({}, {})


def test_every_unknown_flag_is_invalid(group: ThreadGroup, sentinel: Sentinel) -> None:
    """A bit that is no scope is refused with EINVAL, alone and beside each scope.

    Beyond the C suite.
    """
    for unknown in (SignalFlag(1 << bit) for bit in range(3, 32)):
        for scope in (SignalFlag.NONE, *SCOPES):
            with refused(errno.EINVAL):
                send(group.leader, sentinel, unknown | scope)
    assert pending(group) == {}
    send(group.leader, sentinel, SignalFlag.NONE)


@pytest.mark.parametrize("flags", TWO_OR_MORE, ids=str)
def test_only_one_scope_at_a_time(
    group: ThreadGroup, sentinel: Sentinel, flags: SignalFlag
) -> None:
    """Two scopes are refused with EINVAL, also where either of them alone is taken.

    Beyond the C suite.
    """
    group.leader.call(os.setpgid, 0, 0)
    with refused(errno.EINVAL):
        send(group.leader, sentinel, flags)
    assert pending(group) == {}
    for scope in SCOPES:
        send(group.leader, sentinel, scope)
