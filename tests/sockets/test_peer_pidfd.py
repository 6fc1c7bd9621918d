"""SO_PEERPIDFD gives a pidfd of the process at the other end of an AF_UNIX socket."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from helpers import fdinfo, features_sockets, procfs, sockets
from helpers.deadline import Deadline
from helpers.expect import refused
from helpers.gating import needs
from helpers.info import Exited, Killed, Outcome
from helpers.process import ThreadGroup
from helpers.sockets import UnixSocket
from helpers.uapi import PollEvent

pytestmark = needs(features_sockets.PEERPIDFD)


def _connection_of(child: ThreadGroup) -> UnixSocket:
    listener = UnixSocket.listen()
    child.leader.call(sockets.connect, listener.address)
    return listener.accept(Deadline(), "the child's connection")


def test_listener_gets_who_connected(child: ThreadGroup) -> None:
    """On an accepted connection the peer is the process that connected.

    Beyond the C suite.
    """
    assert fdinfo.shown(_connection_of(child).peer_pidfd()).pid == f"{child.pid}"


def test_subthread_that_connects_is_its_process(child: ThreadGroup) -> None:
    """The peer is the process, whichever of its threads connects.

    Beyond the C suite.
    """
    listener = UnixSocket.listen()
    child.spawn_thread().call(sockets.connect, listener.address)
    connection = listener.accept(Deadline(), "the subthread's connection")
    assert fdinfo.shown(connection.peer_pidfd()).pid == f"{child.pid}"


def test_client_gets_who_listens(child: ThreadGroup) -> None:
    """For who connects the peer is the process that called listen(2), before any accept.

    Beyond the pidfd suite; net/af_unix/scm_pidfd.c asks once it is accepted.
    """
    connection = UnixSocket.new()
    connection.connect(child.leader.call(sockets.listen))
    assert fdinfo.shown(connection.peer_pidfd()).pid == f"{child.pid}"


@pytest.mark.parametrize("kind", sockets.KINDS, ids=lambda kind: kind.name)
def test_pair_has_its_maker_as_peer(child: ThreadGroup, kind: socket.SocketKind) -> None:
    """Both ends of a socket pair name the process that made it, whoever holds them now.

    Beyond the C suite.
    """
    ours, theirs = UnixSocket.pair(kind)
    found = (child.leader.call(UnixSocket.peer_pidfd, theirs), ours.peer_pidfd())
    assert [fdinfo.shown(pidfd).pid for pidfd in found] == [f"{os.getpid()}"] * 2


def test_pidfd_closes_on_exec(child: ThreadGroup) -> None:
    """The pidfd is closed on exec.

    Beyond the C suite.
    """
    assert _connection_of(child).peer_pidfd().closes_on_exec


def test_pidfd_notifies_of_the_end_of_the_peer(child: ThreadGroup) -> None:
    """The pidfd is one as from pidfd_open(2): it is silent, and readable once the peer has ended.

    Beyond the C suite.
    """
    pidfd = _connection_of(child).peer_pidfd()
    before = pidfd.poll()
    child.leader.exit_group()
    assert (before, pidfd.poll()) == (PollEvent.NONE, PollEvent.IN)


@pytest.mark.parametrize("outcome", [Exited(7), Killed(9)], ids=["exited", "killed"])
def test_reaped_peer_is_known_by_its_end(child: ThreadGroup, outcome: Outcome) -> None:
    """Of a peer that is reaped a pidfd with its exit information can be had.

    Beyond the C suite. EINVAL before v6.16: b590c928cca7 ("net, pidfd: report EINVAL for ESRCH")
    kept login daemons going, 20b70e58961b ("net, pidfs: enable handing out pidfds for reaped
    sk->sk_peer_pid") gave them the pidfd.
    """
    connection = _connection_of(child)
    if isinstance(outcome, Exited):
        child.leader.exit_group(outcome.status)
    else:
        child.kill(outcome.signal)
    assert child.reap() == outcome
    assert sockets.end_of(connection.peer_pidfd) in sockets.told_of_the_dead(outcome, (6, 16))


def test_room_for_more_is_not_used(child: ThreadGroup) -> None:
    """A caller with room for more than a descriptor gets one, and its size.

    Beyond the C suite.
    """
    with _connection_of(child).peer_pidfd(room=64) as pidfd:
        assert fdinfo.shown(pidfd).pid == f"{child.pid}"


def test_address_that_cannot_be_written_is_a_fault_and_leaks_nothing(child: ThreadGroup) -> None:
    """EFAULT, and no descriptor is left behind.

    Beyond the C suite.
    """
    connection = _connection_of(child)
    before = procfs.own_descriptors()
    with refused(errno.EFAULT):
        connection.peer_pidfd_at(address=8, length=4)
    assert procfs.own_descriptors() == before


def test_negative_room_is_invalid(child: ThreadGroup) -> None:
    """EINVAL, and no descriptor is left behind.

    Beyond the C suite.
    """
    connection = _connection_of(child)
    before = procfs.own_descriptors()
    with refused(errno.EINVAL):
        connection.peer_pidfd_at(address=8, length=-1)
    assert procfs.own_descriptors() == before


@pytest.mark.parametrize(
    "family",
    [
        pytest.param(socket.AF_UNIX, id="AF_UNIX"),
        pytest.param(socket.AF_INET, id="AF_INET", marks=needs(features_sockets.INET)),
    ],
)
def test_socket_without_a_peer_has_no_pidfd(family: socket.AddressFamily) -> None:
    """A socket that is not connected, or of a family without credentials, gives ENODATA.

    Beyond the C suite.
    """
    with refused(errno.ENODATA):
        UnixSocket.new(family).peer_pidfd()
