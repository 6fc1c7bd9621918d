"""Another user's process: what one capability of the caller's decides, and nothing else."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from signal import SIGKILL, SIGUSR1

import pytest

from helpers import (
    features,
    features_getfd,
    features_namespaces,
    features_process,
    features_rights,
    getfd,
    namespaces,
    procfs,
    rights,
    signals,
)
from helpers.expect import refused
from helpers.gating import needs
from helpers.process import ThreadGroup
from helpers.rights import OTHER_USER, SYS_PTRACE
from helpers.syscalls_access import drop_capabilities
from helpers.thread import Thread
from helpers.uapi import CloneFlag, PidfdFlag, SignalFlag

pytestmark = needs(features.PIDFD_OPEN, features_process.USER_CHANGE)

FOREIGN = needs(features_namespaces.FOREIGN, features_rights.OTHER_PROCESS)
SCOPED = needs(features.PIDFD_THREAD, features_process.SIGNAL_SCOPES)


@needs(features_getfd.PIDFD_GETFD)
@FOREIGN
def test_who_may_trace_any_process_gets_its_descriptors() -> None:
    """CAP_SYS_PTRACE lets copy from another user's process that is not dumpable; without: EPERM.

    Beyond the C suite.
    """
    caller, _, pidfd = rights.foreign()
    caller.leader.call(getfd.copy, pidfd, 2).close()
    caller.leader.call(drop_capabilities, SYS_PTRACE)
    with refused(errno.EPERM):
        caller.leader.call(getfd.copy, pidfd, 2)


@needs(features_namespaces.IOCTLS)
@FOREIGN
def test_who_may_trace_any_process_gets_its_namespaces() -> None:
    """CAP_SYS_PTRACE lets have the namespaces of another user's process; without: EACCES.

    Beyond the C suite.
    """
    caller, target, pidfd = rights.foreign()
    kinds = namespaces.configured()
    found = {kind.name: caller.leader.call(namespaces.answer, pidfd, kind) for kind in kinds}
    assert found == namespaces.of(target.pid)
    caller.leader.call(drop_capabilities, SYS_PTRACE)
    found = {kind.name: caller.leader.call(namespaces.answer, pidfd, kind) for kind in kinds}
    assert found == dict.fromkeys(found, "EACCES")


@needs(features_namespaces.SETNS)
@FOREIGN
def test_who_may_enter_namespaces_must_be_able_to_trace_as_well() -> None:
    """CAP_SYS_ADMIN, which enters a namespace, does not enter a foreign process's: EPERM.

    With CAP_SYS_PTRACE beside it it does. Beyond the C suite.
    """
    caller, target, pidfd = rights.foreign()
    able = caller.leader.fork(role="able")
    caller.leader.call(drop_capabilities, SYS_PTRACE)
    before = namespaces.of(caller.pid)
    with refused(errno.EPERM):
        caller.leader.call(namespaces.enter, pidfd, CloneFlag.NEWUTS)
    assert namespaces.of(caller.pid) == before
    able.leader.call(namespaces.enter, pidfd, CloneFlag.NEWUTS)
    assert namespaces.of(able.pid)["uts"] == namespaces.of(target.pid)["uts"]


@SCOPED
@pytest.mark.parametrize("kind", ["process", "leader", "subthread"])
@pytest.mark.parametrize(
    "flags", [SignalFlag.NONE, SignalFlag.THREAD, SignalFlag.THREAD_GROUP], ids=str
)
def test_no_scope_reaches_another_users_process(
    child: ThreadGroup, kind: str, flags: SignalFlag
) -> None:
    """EPERM for a process, its leader and its subthread, whichever scope is asked for.

    Beyond the C suite.
    """
    subthread = child.spawn_thread("subthread")
    opened = {
        "process": child.pidfd(),
        "leader": child.pidfd(PidfdFlag.THREAD),
        "subthread": subthread.pidfd(PidfdFlag.THREAD),
    }
    stranger = features_process.ordinary_user()
    for number in (0, SIGKILL):
        with refused(errno.EPERM):
            stranger.leader.call(signals.send, opened[kind], number, flags)
    assert [thread.call(int) for thread in child.threads] == [0, 0]


def _join(leader: ThreadGroup, *members: ThreadGroup) -> None:
    """Let `leader` lead a process group of all; SIGUSR1 stays pending."""
    for member in (leader, *members):
        member.leader.call(signals.block, SIGUSR1)
        member.leader.call(os.setpgid, 0, leader.pid)


def _has(group: ThreadGroup) -> bool:
    return procfs.pending_signals(group.pid) == (set(), {SIGUSR1})


@SCOPED
def test_process_group_is_signalled_as_far_as_the_sender_may(
    child: ThreadGroup, spawn: Callable[..., ThreadGroup]
) -> None:
    """One member that may be signalled is success; the others, root's here, are passed over.

    Beyond the C suite.
    """
    member, sender = spawn(role="member"), spawn(role="sender")
    _join(child, member)
    for group in (member, sender):
        group.leader.call(rights.become, OTHER_USER)
    sender.leader.call(signals.send, child.pidfd(), SIGUSR1, SignalFlag.PROCESS_GROUP)
    assert (_has(child), _has(member)) == (False, True)


@SCOPED
def test_process_group_without_a_member_to_signal_is_refused(
    child: ThreadGroup, spawn: Callable[..., ThreadGroup]
) -> None:
    """Where no member may be signalled it is EPERM, and no ESRCH.

    Beyond the C suite.
    """
    member = spawn(role="member")
    _join(child, member)
    stranger: Thread = features_process.ordinary_user().leader
    with refused(errno.EPERM):
        stranger.call(signals.send, child.pidfd(), SIGUSR1, SignalFlag.PROCESS_GROUP)
    assert (_has(child), _has(member)) == (False, False)
