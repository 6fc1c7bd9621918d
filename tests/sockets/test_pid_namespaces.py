"""Pidfds from sockets go to processes in whose pid namespace the other end has no number."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable

import pytest

from helpers import features, features_process, features_sockets, sockets
from helpers.deadline import Deadline
from helpers.expect import moved, refused
from helpers.gating import needs
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.sockets import UnixSocket
from helpers.uapi import PollEvent

pytestmark = needs(features_process.PID_NAMESPACE)


def _peer(child: ThreadGroup, stranger: ThreadGroup) -> Pidfd:
    listener = UnixSocket.listen()
    child.leader.call(sockets.connect, listener.address)
    connection = listener.accept(Deadline(), "the child's connection")
    return stranger.leader.call(UnixSocket.peer_pidfd, connection)


def _sender(child: ThreadGroup, stranger: ThreadGroup) -> Pidfd:
    ours, theirs = UnixSocket.pair()
    ours.ask_for_pidfds()
    child.leader.call(UnixSocket.send, theirs, b"hello")
    return stranger.leader.call(UnixSocket.receive, ours).sender()


Way = Callable[[ThreadGroup, ThreadGroup], Pidfd]

WAYS = pytest.mark.parametrize(
    "way",
    [
        pytest.param(_peer, id="SO_PEERPIDFD", marks=needs(features_sockets.PEERPIDFD)),
        pytest.param(_sender, id="SCM_PIDFD", marks=needs(features_sockets.PASSPIDFD)),
    ],
)


@WAYS
def test_pidfd_of_a_process_outside_tells_of_its_end(child: ThreadGroup, way: Way) -> None:
    """A process in a pid namespace below gets the pidfd, and is told by poll of the end.

    Beyond the C suite.
    """
    stranger = features_process.pid_1()
    pidfd = way(child, stranger)
    before = stranger.leader.call(Pidfd.poll, pidfd)
    child.leader.exit_group()
    assert (before, stranger.leader.call(Pidfd.poll, pidfd)) == (PollEvent.NONE, PollEvent.IN)


@WAYS
@needs(features.GET_INFO)
def test_pidfd_of_a_process_outside_hides_its_numbers(child: ThreadGroup, way: Way) -> None:
    """PIDFD_GET_INFO is refused where the process has no number.

    ESRCH until ab89060fbc92 ("pidfs: return -EREMOTE when PIDFD_GET_INFO is called on another
    ns"), v7.0. Beyond the C suite.
    """
    stranger = features_process.pid_1()
    pidfd = way(child, stranger)
    assert pidfd.info().pid == child.pid
    with refused(*moved(errno.EREMOTE, old=errno.ESRCH, since=(7, 0))):
        stranger.leader.call(Pidfd.info, pidfd)


@needs(features_process.SEND_SIGNAL)
@WAYS
def test_process_outside_is_not_signalled_by_its_pidfd(child: ThreadGroup, way: Way) -> None:
    """pidfd_send_signal(2) reaches down the pid namespaces, and not up: EINVAL.

    Beyond the C suite.
    """
    stranger = features_process.pid_1()
    pidfd = way(child, stranger)
    with refused(errno.EINVAL):
        stranger.leader.call(Pidfd.send_signal, pidfd, signal.SIGKILL)
    assert child.leader.call(os.getpid) == child.pid
