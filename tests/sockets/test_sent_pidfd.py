"""SCM_PIDFD brings a pidfd of the sender with each message, where SO_PASSPIDFD asks for it."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

import pytest

from helpers import fdinfo, features_sockets, procfs, sockets
from helpers.deadline import Deadline
from helpers.expect import refused
from helpers.gating import needs
from helpers.info import Exited
from helpers.process import ThreadGroup
from helpers.sockets import ROOM, ROOM_FOR_CREDENTIALS, ROOM_FOR_PIDFD, Received, Room, UnixSocket

pytestmark = needs(features_sockets.PASSPIDFD)


@pytest.fixture
def sent(child: ThreadGroup) -> UnixSocket:
    """The socket on which a message of the child waits to be received with a pidfd."""
    ours, theirs = UnixSocket.pair()
    ours.ask_for_pidfds()
    child.leader.call(UnixSocket.send, theirs, b"hello")
    theirs.close()
    return ours


@pytest.mark.parametrize("kind", sockets.KINDS, ids=lambda kind: kind.name)
def test_message_brings_who_sent_it(child: ThreadGroup, kind: socket.SocketKind) -> None:
    """The pidfd is of the process that sent the message, not of who made the socket.

    Beyond the pidfd suite; net/af_unix/scm_pidfd.c asks it of streams and datagrams.
    """
    ours, theirs = UnixSocket.pair(kind)
    ours.ask_for_pidfds()
    child.leader.call(UnixSocket.send, theirs, b"hello")
    assert fdinfo.shown(ours.receive().sender()).pid == f"{child.pid}"


def test_credentials_and_pidfd_come_together(child: ThreadGroup, sent: UnixSocket) -> None:
    """With SO_PASSCRED beside SO_PASSPIDFD a message brings both, of the same process.

    Beyond the pidfd suite; net/af_unix/scm_pidfd.c does not compare them.
    """
    sent.ask_for_credentials()
    found = sent.receive()
    assert fdinfo.shown(found.sender()).pid == f"{child.pid}"
    assert found == Received(b"hello", False, found.pidfd, child.pid)


def test_option_can_be_read_back() -> None:
    """SO_PASSPIDFD is off at first, and tells when it is on.

    Beyond the C suite.
    """
    one, other = UnixSocket.pair()
    one.ask_for_pidfds()
    assert (one.brings_pidfds, other.brings_pidfds) == (True, False)


@needs(features_sockets.PASS_RESTRICTED)
def test_other_sockets_do_not_take_the_option() -> None:
    """A socket of a family that carries no pidfds refuses SO_PASSPIDFD: EOPNOTSUPP.

    Beyond the C suite.
    """
    with refused(errno.EOPNOTSUPP):
        UnixSocket.new(socket.AF_INET).ask_for_pidfds()


@needs(features_sockets.PASS_RESTRICTED, features_sockets.INET)
def test_other_sockets_do_not_tell_of_the_option() -> None:
    """A socket of a family that carries no pidfds does not say that it brings none: EOPNOTSUPP.

    Beyond the C suite.
    """
    with refused(errno.EOPNOTSUPP):
        assert UnixSocket.new(socket.AF_INET).brings_pidfds is None


def test_connection_has_the_option_of_its_listener(child: ThreadGroup) -> None:
    """A message that was sent before the connection is accepted brings its sender as well.

    Beyond the C suite.
    """
    listener = UnixSocket.listen()
    listener.ask_for_pidfds()
    child.leader.call(sockets.connect_and_send, listener.address, b"early")
    connection = listener.accept(Deadline(), "the child's connection")
    assert fdinfo.shown(connection.receive().sender()).pid == f"{child.pid}"


def test_subthread_that_sends_is_its_process(child: ThreadGroup) -> None:
    """The sender is the process, whichever of its threads sends.

    Beyond the C suite.
    """
    ours, theirs = UnixSocket.pair()
    ours.ask_for_pidfds()
    child.spawn_thread().call(UnixSocket.send, theirs, b"hello")
    assert fdinfo.shown(ours.receive().sender()).pid == f"{child.pid}"


def test_nothing_is_brought_unasked(child: ThreadGroup) -> None:
    """Without SO_PASSPIDFD a message is a message alone.

    Beyond the C suite.
    """
    ours, theirs = UnixSocket.pair()
    child.leader.call(UnixSocket.send, theirs, b"hello")
    assert ours.receive() == Received(b"hello", False, None)


@pytest.mark.parametrize(
    "flags", [0, socket.MSG_CMSG_CLOEXEC], ids=["without flags", "MSG_CMSG_CLOEXEC"]
)
def test_pidfd_closes_on_exec(sent: UnixSocket, flags: int) -> None:
    """The pidfd is closed on exec, also where descriptors that are sent would be kept.

    Beyond the C suite.
    """
    assert sent.receive(flags=flags).sender().closes_on_exec


def test_reaped_sender_is_known_by_its_end(child: ThreadGroup, sent: UnixSocket) -> None:
    """A message outlives its sender, and brings a pidfd with the sender's exit information.

    Beyond the C suite. A negative errno came in place of the pidfd before v6.17.
    """
    child.leader.exit_group(7)
    assert child.reap() == Exited(7)
    found = sockets.end_of(lambda: sent.receive().sender())
    assert found in sockets.told_of_the_dead(Exited(7), (6, 17))


def test_message_carries_its_sender_where_the_sender_has_the_option(child: ThreadGroup) -> None:
    """A receiver that sets SO_PASSPIDFD when the sender is gone gets the sender's pidfd.

    Beyond the pidfd suite; net/af_unix/scm_pidfd.c has it beside SO_PASSCRED.
    """
    ours, theirs = UnixSocket.pair()
    theirs.ask_for_pidfds()
    child.leader.call(UnixSocket.send, theirs, b"hello")
    child.leader.exit_group(7)
    child.reap()
    ours.ask_for_pidfds()
    found = sockets.end_of(lambda: ours.receive().sender())
    assert found in sockets.told_of_the_dead(Exited(7), (6, 17))


def test_message_that_nobody_wanted_signed_brings_no_pidfd(child: ThreadGroup) -> None:
    """SO_PASSPIDFD set after the message was sent, at one end alone, brings nothing.

    Beyond the C suite.
    """
    ours, theirs = UnixSocket.pair()
    child.leader.call(UnixSocket.send, theirs, b"hello")
    ours.ask_for_pidfds()
    assert ours.receive() == Received(b"hello", False, None)


@pytest.mark.parametrize("room", Room, ids=lambda room: room.value)
def test_pidfd_without_room_is_cut_off_and_not_leaked(sent: UnixSocket, room: Room) -> None:
    """Too little room sets MSG_CTRUNC, and leaves no descriptor behind.

    718e6b51298e ("af_unix: Fix msg_controllen test in scm_pidfd_recv() for MSG_CMSG_COMPAT."), v6.6
    and v6.5.4. Beyond the C suite.
    """
    before = procfs.own_descriptors()
    assert sent.receive(ROOM[room]) == Received(b"hello", True, None)
    assert procfs.own_descriptors() == before


def test_pidfd_behind_credentials_is_cut_off_and_not_leaked(
    child: ThreadGroup, sent: UnixSocket
) -> None:
    """Credentials come first; a pidfd that has no room behind them is not leaked.

    Beyond the C suite.
    """
    sent.ask_for_credentials()
    before = procfs.own_descriptors()
    assert sent.receive(ROOM_FOR_CREDENTIALS) == Received(b"hello", True, None, child.pid)
    assert procfs.own_descriptors() == before


def test_pidfd_that_cannot_be_stored_is_dropped_and_not_leaked(sent: UnixSocket) -> None:
    """Where the room for it cannot be written the message comes without; nothing is left behind.

    Beyond the C suite.
    """
    before = procfs.own_descriptors()
    assert sent.receive_at(control=8, room=ROOM_FOR_PIDFD) == b"hello"
    assert procfs.own_descriptors() == before


def test_full_table_brings_no_pidfd(spawn: Callable[..., ThreadGroup], sent: UnixSocket) -> None:
    """A receiver that may not have one descriptor more finds -EMFILE in the place of the pidfd.

    Beyond the C suite.
    """
    with refused(errno.EMFILE):
        spawn(role="receiver").leader.call(sockets.receive_into_full_table, sent)


def test_bytes_of_different_senders_come_apart(spawn: Callable[..., ThreadGroup]) -> None:
    """A stream with SO_PASSPIDFD gives no two senders' bytes at once, so that each has its own.

    Beyond the C suite.
    """
    ours, theirs = UnixSocket.pair()
    ours.ask_for_pidfds()
    first, second = spawn(role="first"), spawn(role="second")
    first.leader.call(UnixSocket.send, theirs, b"AAA")
    second.leader.call(UnixSocket.send, theirs, b"BBB")
    first.leader.call(UnixSocket.send, theirs, b"CCC")
    due = [
        (f"{child.pid}", text)
        for child, text in ((first, b"AAA"), (second, b"BBB"), (first, b"CCC"))
    ]
    assert sockets.by_sender(ours, 9) == due


def test_pidfd_fits_into_its_exact_room(child: ThreadGroup, sent: UnixSocket) -> None:
    """Room for a header and a descriptor is enough, without padding.

    718e6b51298e ("af_unix: Fix msg_controllen test in scm_pidfd_recv() for MSG_CMSG_COMPAT."), v6.6
    and v6.5.4, made the size that of the caller's word. Beyond the C suite.
    """
    found = sent.receive(ROOM_FOR_PIDFD)
    assert (found.truncated, fdinfo.shown(found.sender()).pid) == (False, f"{child.pid}")


def test_looking_at_a_message_brings_a_pidfd_each_time(
    child: ThreadGroup, sent: UnixSocket
) -> None:
    """MSG_PEEK brings a pidfd as well, and leaves the message and its sender to be received.

    Beyond the C suite.
    """
    pids = [fdinfo.shown(sent.receive(flags=flags).sender()).pid for flags in (socket.MSG_PEEK, 0)]
    assert pids == [f"{child.pid}"] * 2
