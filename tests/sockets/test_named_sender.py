"""SCM_CREDENTIALS may name another process as the sender, and SCM_PIDFD is of that one then."""

from __future__ import annotations

import errno
import os
import threading

import pytest

from helpers import (
    fdinfo,
    features,
    features_namespaces,
    features_sockets,
    namespaces,
    process,
    reaping,
    sockets,
)
from helpers.expect import refused
from helpers.gating import needs
from helpers.info import Exited
from helpers.process import ThreadGroup
from helpers.rights import EVERY_CAPABILITY
from helpers.sockets import UnixSocket
from helpers.syscalls_access import drop_capabilities
from helpers.uapi import PID_MAX_LIMIT, CloneFlag, PidfdFlag

pytestmark = needs(features_sockets.PASSPIDFD)

PRIVILEGED = needs(features.UNPRIVILEGED_PID_NAMESPACE, features_namespaces.ID_MAPPING)


@pytest.fixture
def sender() -> ThreadGroup:
    """A process with CAP_SYS_ADMIN over its pid namespace, which may name every one in there."""
    group = process.spawn(CloneFlag.NEWUSER | CloneFlag.NEWPID, "sender")
    namespaces.map_ids(group.pid, 0)
    return group


def _pair() -> tuple[UnixSocket, UnixSocket]:
    ours, theirs = UnixSocket.pair()
    ours.ask_for_pidfds()
    return ours, theirs


@PRIVILEGED
@pytest.mark.parametrize("state", ["living", "zombie"])
def test_privileged_sender_names_another_process(sender: ThreadGroup, state: str) -> None:
    """The pidfd is of the process that is named, alive or a zombie, not of who sends.

    Beyond the C suite.
    """
    ours, theirs = _pair()
    named = sender.leader.fork(role="named")
    number = named.leader.call(os.getpid)
    if state == "zombie":
        named.leader.exit_group()
    sender.leader.call(UnixSocket.send_as, theirs, b"hello", number)
    assert fdinfo.shown(ours.receive().sender()).pid == f"{named.pid}"


@PRIVILEGED
def test_named_process_that_is_reaped_is_known_by_its_end(sender: ThreadGroup) -> None:
    """The message keeps who is named, as it keeps who sends: a pidfd with the exit information.

    Beyond the C suite. A negative errno came in place of the pidfd before v6.17.
    """
    ours, theirs = _pair()
    named = sender.leader.fork(role="named")
    number = named.leader.call(os.getpid)
    sender.leader.call(UnixSocket.send_as, theirs, b"hello", number)
    named.leader.exit_group(7)
    assert sender.leader.call(reaping.reap, number) == Exited(7)
    found = sockets.end_of(lambda: ours.receive().sender())
    assert found in sockets.told_of_the_dead(Exited(7), (6, 17))


@PRIVILEGED
def test_subthread_is_not_taken_for_a_process(sender: ThreadGroup) -> None:
    """A pidfd without PIDFD_THREAD is of a thread-group leader, also where a tid is named.

    unix(7) wants the PID of a process, and the comment on pidfd_prepare() in kernel/fork.c says
    that without the flag it verifies that the task is a leader. The tid is refused, or the pidfd
    is of its process, or of thread scope. Beyond the C suite.
    """
    ours, theirs = _pair()
    thread = sender.spawn_thread()
    number = thread.call(threading.get_native_id)
    found = sockets.outcome_of_naming(sender.leader, theirs, number, ours)
    sound = (f"{sender.pid}", PidfdFlag.NONE), (f"{thread.tid}", PidfdFlag.THREAD)
    assert found in ("ENOENT", "EINVAL", "ESRCH", *sound), f"{thread!r} was named"


@PRIVILEGED
def test_named_process_must_exist(sender: ThreadGroup) -> None:
    """A number that no process has is refused when it is sent: ESRCH.

    Beyond the C suite.
    """
    _, theirs = _pair()
    with refused(errno.ESRCH):
        sender.leader.call(UnixSocket.send_as, theirs, b"hello", PID_MAX_LIMIT)


def test_unprivileged_sender_names_no_other(child: ThreadGroup) -> None:
    """Without CAP_SYS_ADMIN over one's pid namespace another process cannot be named: EPERM.

    From unix(7). Beyond the C suite.
    """
    _, theirs = _pair()
    child.leader.call(drop_capabilities, EVERY_CAPABILITY)
    with refused(errno.EPERM):
        child.leader.call(UnixSocket.send_as, theirs, b"hello", os.getpid())


def test_unprivileged_sender_names_itself(child: ThreadGroup) -> None:
    """Everyone may name himself, and is the sender then.

    From unix(7). Beyond the C suite.
    """
    ours, theirs = _pair()
    child.leader.call(drop_capabilities, EVERY_CAPABILITY)
    child.leader.call(UnixSocket.send_as, theirs, b"hello", child.pid)
    assert fdinfo.shown(ours.receive().sender()).pid == f"{child.pid}"
