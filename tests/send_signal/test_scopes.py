"""Which tasks a signal by pidfd is for: of the pidfd's own kind, or of the flag's."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable
from signal import SIGKILL, SIGUSR1

import pytest

from helpers import features, features_process, procfs, signals, targets
from helpers.descriptor import Descriptor
from helpers.expect import refused
from helpers.gating import needs
from helpers.info import Killed
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.targets import NotAPidfd
from helpers.thread import Thread
from helpers.uapi import PidfdFlag, SignalFlag

pytestmark = needs(features.PIDFD_THREAD, features_process.SIGNAL_SCOPES)

NONE, THREAD, THREAD_GROUP, PROCESS_GROUP = (
    SignalFlag.NONE,
    SignalFlag.THREAD,
    SignalFlag.THREAD_GROUP,
    SignalFlag.PROCESS_GROUP,
)
# Of a target with a leader and a subthread: who keeps the signal pending.
LEADER, SUBTHREAD, GROUP = "the leader", "the subthread", "the thread group"


# The directory of a subthread is in no listing of /proc, and can be opened all the same.
KINDS = ["process", "leader", "subthread", "/proc directory", "/proc directory of the subthread"]


def open_kind(kind: str, subthread: Thread) -> Descriptor:
    """One of the kinds of descriptors by which a thread group of two is signalled."""
    if kind == "process":
        return subthread.group.pidfd()
    thread = subthread if "subthread" in kind else subthread.group.leader
    if "/proc" in kind:
        return targets.process_directory(thread.tid)
    return thread.pidfd(PidfdFlag.THREAD)


def keepers(subthread: Thread) -> set[str]:
    """Where SIGUSR1 is pending."""
    pid = subthread.group.pid
    on_leader, on_group = procfs.pending_signals(pid)
    on_subthread, _ = procfs.pending_signals(pid, subthread.tid)
    places = {LEADER: on_leader, SUBTHREAD: on_subthread, GROUP: on_group}
    return {place for place, pending in places.items() if SIGUSR1 in pending}


@pytest.mark.parametrize(
    ("kind", "flags", "keeper"),
    [
        ("process", NONE, GROUP),
        ("process", THREAD, LEADER),
        ("process", THREAD_GROUP, GROUP),
        ("leader", NONE, LEADER),
        ("leader", THREAD, LEADER),
        ("leader", THREAD_GROUP, GROUP),
        ("subthread", NONE, SUBTHREAD),
        ("subthread", THREAD, SUBTHREAD),
        ("subthread", THREAD_GROUP, GROUP),
        ("/proc directory", NONE, GROUP),
        ("/proc directory", THREAD, LEADER),
        ("/proc directory", THREAD_GROUP, GROUP),
        ("/proc directory of the subthread", NONE, GROUP),
        ("/proc directory of the subthread", THREAD, SUBTHREAD),
        ("/proc directory of the subthread", THREAD_GROUP, GROUP),
    ],
)
def test_a_signal_is_for_the_scope_of_the_flag_or_else_of_the_pidfd(
    kind: str, flags: SignalFlag, keeper: str, subthread: Thread
) -> None:
    """Without a flag a pidfd of a process signals the group and one of a thread that thread.

    A directory of /proc has no scope of its own: the group. Beyond the C suite.
    """
    signals.send(open_kind(kind, subthread), SIGUSR1, flags)
    assert keepers(subthread) == {keeper}


@pytest.mark.parametrize(
    ("kind", "flags"),
    [("leader", NONE), ("leader", THREAD), ("process", THREAD), ("/proc directory", THREAD)],
)
def test_sigkill_for_a_leader_that_has_exited_harms_nobody(
    kind: str, flags: SignalFlag, subthread: Thread
) -> None:
    """For that thread alone it is done, and comes to nothing; for the group it ends the others.

    Beyond the C suite.
    """
    group, held = subthread.group, open_kind(kind, subthread)
    group.leader.exit()
    signals.send(held, SIGKILL, flags)
    assert subthread.call(os.getpid) == group.pid
    signals.send(held, SIGKILL, THREAD_GROUP)
    assert group.reap() == Killed(SIGKILL)


@pytest.mark.parametrize("kind", ["process", "leader", "/proc directory"])
def test_a_process_group_is_signalled_through_its_leader(
    kind: str, subthread: Thread, spawn: Callable[..., ThreadGroup]
) -> None:
    """PIDFD_SIGNAL_PROCESS_GROUP reaches every process of the group and none outside.

    Beyond the C suite.
    """
    leader, member, stranger = subthread.group, spawn(role="member"), spawn(role="stranger")
    leader.leader.call(os.setpgid, 0, 0)
    member.leader.call(os.setpgid, 0, leader.pid)
    for process in (member, stranger):
        process.leader.call(signals.block, SIGUSR1)
    signals.send(open_kind(kind, subthread), SIGUSR1, PROCESS_GROUP)
    assert keepers(subthread) == {GROUP}
    assert procfs.pending_signals(member.pid) == (set(), {SIGUSR1})
    assert procfs.pending_signals(stranger.pid) == (set(), set())


def test_a_process_group_outlives_its_leader(
    target: ThreadGroup, spawn: Callable[..., ThreadGroup]
) -> None:
    """A reaped leader's pidfd still names the process group, while it has members.

    Beyond the C suite.
    """
    member = spawn(role="member")
    target.leader.call(os.setpgid, 0, 0)
    member.leader.call(os.setpgid, 0, target.pid)
    pidfd = target.pidfd()
    target.kill()
    target.reap()
    pidfd.send_signal(SIGKILL, PROCESS_GROUP)
    assert member.reap() == Killed(SIGKILL)
    with refused(errno.ESRCH):
        pidfd.send_signal(0, PROCESS_GROUP)


@pytest.mark.parametrize("kind", KINDS)
def test_who_leads_no_process_group_signals_none(kind: str, subthread: Thread) -> None:
    """The pidfd is taken for the group's number, not for that of a member: ESRCH.

    Beyond the C suite.
    """
    with refused(errno.ESRCH):
        signals.send(open_kind(kind, subthread), SIGUSR1, PROCESS_GROUP)
    assert keepers(subthread) == set()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "subthread" in kind])
def test_a_subthread_of_a_group_leader_leads_no_process_group(kind: str, subthread: Thread) -> None:
    """The number of a subthread names no process group, though its process leads one: ESRCH.

    Beyond the C suite.
    """
    subthread.group.leader.call(os.setpgid, 0, 0)
    with refused(errno.ESRCH):
        signals.send(open_kind(kind, subthread), SIGUSR1, PROCESS_GROUP)
    assert keepers(subthread) == set()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "flags",
    [
        *(a | b for a, b in itertools.combinations((THREAD, THREAD_GROUP, PROCESS_GROUP), 2)),
        THREAD | THREAD_GROUP | PROCESS_GROUP,
    ],
    ids=str,
)
def test_two_scopes_at_once_are_invalid(flags: SignalFlag, kind: str, subthread: Thread) -> None:
    """At most one flag may be set.

    Beyond the C suite.
    """
    with refused(errno.EINVAL):
        signals.send(open_kind(kind, subthread), 0, flags)


def test_flags_are_looked_at_before_the_descriptor() -> None:
    """Two scopes at once are EINVAL, where one of them finds that there is no pidfd: EBADF.

    So a caller can probe for a flag without a process. Beyond the C suite.
    """
    with targets.make(NotAPidfd.MEMFD) as other:
        with refused(errno.EINVAL):
            signals.send(other, 0, THREAD | THREAD_GROUP)
        with refused(errno.EBADF):
            signals.send(other, 0, THREAD)


@pytest.mark.parametrize("bit", range(3, 32))
def test_unknown_flags_are_invalid(bit: int) -> None:
    """No other of the 32 bits is taken, alone or with one that is known.

    Beyond the C suite.
    """
    with Pidfd.open(os.getpid(), role="own") as own:
        for flags in (SignalFlag(1 << bit), SignalFlag(1 << bit | THREAD)):
            with refused(errno.EINVAL):
                own.send_signal(0, flags)


def test_a_fatal_signal_to_one_thread_ends_them_all(subthread: Thread) -> None:
    """The scope tells which thread takes a signal, not how far its default action goes.

    Beyond the C suite.
    """
    signals.send(open_kind("subthread", subthread), SIGKILL, THREAD)
    assert subthread.group.reap() == Killed(SIGKILL)


@pytest.mark.parametrize("flags", [NONE, THREAD, THREAD_GROUP], ids=str)
def test_a_thread_that_has_exited_is_not_there_to_signal(
    flags: SignalFlag, subthread: Thread
) -> None:
    """The pidfd of a subthread is dead with it, for its group too, which lives on.

    Beyond the C suite.
    """
    pidfd = open_kind("subthread", subthread)
    subthread.exit()
    with refused(errno.ESRCH):
        signals.send(pidfd, 0, flags)


def test_the_group_of_a_leader_that_exited_is_still_signalled(subthread: Thread) -> None:
    """The process pidfd of a zombie leader ends the subthreads that live on.

    Beyond the C suite.
    """
    pidfd = open_kind("process", subthread)
    subthread.group.leader.exit()
    signals.send(pidfd, SIGKILL)
    assert subthread.group.reap() == Killed(SIGKILL)
