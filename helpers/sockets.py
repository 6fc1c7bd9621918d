"""AF_UNIX sockets that tell of their peers by pidfds."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from helpers import fdinfo, getfd, kernel, syscalls_access
from helpers.deadline import Deadline
from helpers.descriptor import Descriptor
from helpers.info import Outcome
from helpers.pidfd import Pidfd
from helpers.thread import Thread
from helpers.uapi import InfoMask, PidfdFlag
from helpers.uapi_sockets import SCM_PIDFD, SO_PASSPIDFD, SO_PEERPIDFD
from helpers.words import errno_name

ROOM_FOR_PIDFD = socket.CMSG_LEN(4)
ROOM_FOR_CREDENTIALS = socket.CMSG_SPACE(12)


KINDS = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET)


class Room(Enum):
    """Space for ancillary data that is too small for a pidfd."""

    NONE = "none at all"
    HEADER = "a header's"
    ONE_BYTE_LESS = "one byte too little"


ROOM = {Room.NONE: 0, Room.HEADER: socket.CMSG_LEN(0), Room.ONE_BYTE_LESS: ROOM_FOR_PIDFD - 1}


class Received(NamedTuple):
    """One message: its text, and what came beside it.

    `truncated` says that ancillary data was cut off. `pidfd` is the sender's, with SO_PASSPIDFD;
    `pid` the sender's number, with SO_PASSCRED.
    """

    text: bytes
    truncated: bool
    pidfd: Pidfd | None
    pid: int | None = None

    def sender(self) -> Pidfd:
        """The pidfd; fails where none came."""
        assert self.pidfd is not None, f"no pidfd came with {self}"
        return self.pidfd


class UnixSocket(Descriptor):
    """Owns one socket; of which family and type is said where it is made."""

    def __init__(self, fd: int, role: str = "socket") -> None:
        """Take the socket `fd` over."""
        super().__init__(fd, role)
        self._socket = socket.socket(fileno=fd)

    @classmethod
    def new(cls, family: socket.AddressFamily = socket.AF_UNIX) -> UnixSocket:
        """One that is not connected."""
        return cls(socket.socket(family, socket.SOCK_STREAM).detach())

    @classmethod
    def pair(cls, kind: socket.SocketKind = socket.SOCK_STREAM) -> tuple[UnixSocket, UnixSocket]:
        """Two that are connected."""
        ends = socket.socketpair(socket.AF_UNIX, kind)
        first, second = (cls(end.detach()) for end in ends)
        return first, second

    @classmethod
    def listen(cls, address: str = "") -> UnixSocket:
        """One that listens on a path, or on an address of the kernel's choice."""
        made = cls.new()
        made._socket.bind(address)
        made._socket.listen()
        return made

    @property
    def address(self) -> bytes:
        """Where it listens; the kernel's choice is in no file system."""
        name: bytes = self._socket.getsockname()
        return name

    def close(self) -> None:
        """Close it; a second time does nothing."""
        if self._fd >= 0:
            self._socket.detach()
        super().close()

    def connect(self, address: bytes) -> None:
        """``connect(2)``."""
        self._socket.connect(address)

    def accept(self, deadline: Deadline, what: str) -> UnixSocket:
        """The next connection, which is `what`."""
        deadline.await_input(self.fileno(), what)
        return UnixSocket(self._socket.accept()[0].detach(), "connection")

    def send(self, text: bytes) -> None:
        """Send without ancillary data of our own."""
        self._socket.send(text, socket.MSG_NOSIGNAL)

    def send_as(self, text: bytes, pid: int) -> None:
        """Send, and name a process as the sender: ``SCM_CREDENTIALS``."""
        ids = struct.pack("iII", pid, os.getuid(), os.getgid())
        named = (socket.SOL_SOCKET, socket.SCM_CREDENTIALS, ids)
        self._socket.sendmsg([text], [named], socket.MSG_NOSIGNAL)

    def ask_for_pidfds(self) -> None:
        """``SO_PASSPIDFD``: messages bring a pidfd of their sender."""
        self._socket.setsockopt(socket.SOL_SOCKET, SO_PASSPIDFD, 1)

    def ask_for_credentials(self) -> None:
        """``SO_PASSCRED``: messages bring the ids of their sender."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)

    @property
    def brings_pidfds(self) -> bool:
        """``SO_PASSPIDFD``, read back."""
        return bool(self._socket.getsockopt(socket.SOL_SOCKET, SO_PASSPIDFD))

    def peer_pidfd(self, room: int = 4) -> Pidfd:
        """``SO_PEERPIDFD``, with room for so many bytes."""
        data = self._socket.getsockopt(socket.SOL_SOCKET, SO_PEERPIDFD, room)
        return Pidfd(struct.unpack("i", data)[0], "peer's process")

    def peer_pidfd_at(self, address: int, length: int) -> None:
        """``SO_PEERPIDFD`` for a caller that has `length` bytes at `address`."""
        syscalls_access.getsockopt(self.fileno(), socket.SOL_SOCKET, SO_PEERPIDFD, address, length)

    def receive(self, room: int = 256, flags: int = 0) -> Received:
        """The next message, with `room` bytes for ancillary data.

        Raises ``OSError`` where the kernel puts an errno in the place of the pidfd.
        """
        Deadline().await_input(self.fileno(), "a message")
        text, ancillary, told, _ = self._socket.recvmsg(64, room, flags)
        pidfd = pid = None
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                pid = struct.unpack("iII", data)[0]
            if (level, kind) == (socket.SOL_SOCKET, SCM_PIDFD):
                assert len(data) == 4, f"SCM_PIDFD came with {len(data)} bytes, an int was due"
                number = struct.unpack("i", data)[0]
                if number < 0:
                    raise OSError(-number, f"SCM_PIDFD: {os.strerror(-number)}")
                pidfd = Pidfd(number, "sender's process")
        return Received(text, bool(told & socket.MSG_CTRUNC), pidfd, pid)

    def receive_at(self, control: int, room: int) -> bytes:
        """The next message, for a caller that has `room` bytes for ancillary data at an address."""
        Deadline().await_input(self.fileno(), "a message")
        return syscalls_access.recvmsg(self.fileno(), control, room)

    def receive_descriptor(self) -> int:
        """The descriptor that comes with the next message, ``SCM_RIGHTS``."""
        Deadline().await_input(self.fileno(), "a descriptor")
        (number,) = socket.recv_fds(self._socket, 64, 1, socket.MSG_CMSG_CLOEXEC)[1]
        return number

    def drain(self, deadline: Deadline) -> None:
        """Read on until the other end closes."""
        while True:
            deadline.await_input(self.fileno(), "the end of the stream")
            if not self._socket.recv(1 << 16):
                return


def receive_into_full_table(receiver: UnixSocket) -> None:
    """Receive when the caller may not have one descriptor more."""
    getfd.fill_table()
    receiver.receive()


def connect(address: bytes) -> None:
    """Connect to a listener, and stay so until the process ends."""
    UnixSocket.new().connect(address)


def connect_and_send(address: bytes, text: bytes) -> None:
    """Connect, and send at once, which needs no accept; stay so until the process ends."""
    connection = UnixSocket.new()
    connection.connect(address)
    connection.send(text)


def listen() -> bytes:
    """Listen until the process ends; gives the address."""
    return UnixSocket.listen().address


def end_of(peer: Callable[[], Pidfd]) -> Outcome | str | None:
    """How the process behind a pidfd ended, or the errno in place of the pidfd."""
    try:
        pidfd = peer()
    except OSError as error:
        return errno_name(error.errno)
    with pidfd:
        return pidfd.info(InfoMask.EXIT).exit


def by_sender(receiver: UnixSocket, length: int) -> list[tuple[str, bytes]]:
    """A stream of `length` bytes by who sent them; what one sent in a row may come in pieces."""
    found: list[tuple[str, bytes]] = []
    while sum(len(text) for _, text in found) < length:
        text, _, pidfd, _ = receiver.receive()
        pid = fdinfo.shown(pidfd).pid if pidfd else ""
        before = found.pop()[1] if found and found[-1][0] == pid else b""
        found.append((pid, before + text))
    return found


def outcome_of_naming(
    sender: Thread, sending: UnixSocket, named: int, receiver: UnixSocket
) -> tuple[str, PidfdFlag] | str:
    """Pid and scope of the pidfd that comes when `sender` names a task, or the errno of a refusal.

    The scope is what pidfd_open(2) would need to be told.
    """
    try:
        sender.call(UnixSocket.send_as, sending, b"named", named)
        pidfd = receiver.receive().sender()
    except OSError as error:
        return errno_name(error.errno)
    with pidfd:
        return fdinfo.shown(pidfd).pid, PidfdFlag(pidfd.status_flags) & PidfdFlag.THREAD


def told_of_the_dead(outcome: Outcome, since: tuple[int, int]) -> tuple[Outcome | str, ...]:
    """Accepted answers of `end_of` for a reaped peer; before `since` a refusal will do.

    EINVAL up to v6.15, ESRCH from v6.16 on.
    """
    if kernel.running() >= since:
        return (outcome,)
    return outcome, "ESRCH" if kernel.running() >= (6, 16) else "EINVAL"
