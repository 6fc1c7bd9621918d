"""Messages between the test and its children: objects and descriptors over a socket pair."""

from __future__ import annotations

import array
import io
import pickle
import select
import socket
import struct
from typing import Any

from helpers.deadline import Deadline
from helpers.descriptor import Descriptor

_LARGEST = 1 << 16
_MOST_FDS = 16
_ANCILLARY = socket.CMSG_SPACE(4 * _MOST_FDS) + socket.CMSG_SPACE(12)


class Hangup(Exception):
    """The other end is closed: its task is gone, or has executed a new program."""


class _Pickler(pickle.Pickler):
    """Leaves descriptors out of the pickle, to be sent beside it."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.fds: list[int] = []

    def persistent_id(self, obj: object) -> tuple[object, ...] | None:
        if not isinstance(obj, Descriptor):
            return None
        self.fds.append(obj.fileno())
        return (len(self.fds) - 1, type(obj), *obj.travel())


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, fds: list[int]) -> None:
        super().__init__(file)
        self.fds = fds
        self.received: list[Descriptor] = []

    def persistent_load(self, pid: Any) -> Descriptor:
        index, kind, *rest = pid
        descriptor: Descriptor = kind(self.fds[index], *rest)
        self.received.append(descriptor)
        return descriptor


class Channel(Descriptor):
    """One end of a socket pair that keeps message boundaries."""

    def __init__(self, fd: int, role: str = "channel") -> None:
        """Take the socket `fd` over."""
        super().__init__(fd, role)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, fileno=fd)
        self.received: list[Descriptor] = []
        self.sender_pid = 0

    @classmethod
    def pair(cls, role: str = "channel") -> tuple[Channel, Channel]:
        """Two connected ends, both closed on exec."""
        ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours, theirs = (cls(end.detach(), role) for end in ends)
        return ours, theirs

    def close(self) -> None:
        """Close this end; the other sees a hangup."""
        if self._fd >= 0:
            self._socket.detach()
        super().close()

    def ask_for_sender(self) -> None:
        """Let the kernel tell with each message the sender's pid, as our pid namespace has it."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)

    def send(self, message: object) -> None:
        """Send one object, duplicates of the descriptors in it included.

        Raises `Hangup` when nobody can receive it.
        """
        body = io.BytesIO()
        pickler = _Pickler(body)
        pickler.dump(message)
        if body.tell() > _LARGEST:
            raise ValueError(f"{body.tell()} bytes are too many for one message")
        rights = array.array("i", pickler.fds)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if rights else []
        try:
            self._socket.sendmsg([body.getvalue()], ancillary, socket.MSG_NOSIGNAL)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Hangup(f"{self.role}: nobody listens") from error

    def receive(self) -> Any:
        """The next object, waiting for it for ever; raises `Hangup` at the end.

        `received` lists the descriptors that came with it, `sender_pid` who sent it where asked.
        """
        try:
            body, ancillary, _, _ = self._socket.recvmsg(
                _LARGEST, _ANCILLARY, socket.MSG_CMSG_CLOEXEC
            )
        except ConnectionResetError:
            body, ancillary = b"", []
        if not body:
            raise Hangup(f"{self.role} hung up")
        fds = array.array("i")
        for _, kind, data in ancillary:
            if kind == socket.SCM_RIGHTS:
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
            elif kind == socket.SCM_CREDENTIALS:
                self.sender_pid = struct.unpack("iII", data)[0]
        unpickler = _Unpickler(io.BytesIO(body), list(fds))
        message = unpickler.load()
        self.received = unpickler.received
        return message

    def receive_within(self, deadline: Deadline, what: str) -> Any:
        """The next object before `deadline`, which is for `what`."""
        self.await_input(deadline, what)
        return self.receive()

    def await_input(self, deadline: Deadline, what: str) -> None:
        """Sleep until a message or the hangup is there; raises `DeadlineExpired`."""
        deadline.await_input(self.fileno(), what)

    def has_input(self) -> bool:
        """Whether a message or the hangup is there."""
        return bool(self._events())

    def at_hangup(self) -> bool:
        """Whether the other end is closed and no message is left."""
        return bool(self._events() & select.POLLHUP)

    def _events(self) -> int:
        poller = select.poll()
        poller.register(self.fileno(), select.POLLIN)
        return sum(events for _, events in poller.poll(0))

    def send_raw(self, data: bytes) -> None:
        """Send bare bytes, for a program that speaks no pickle."""
        self._socket.send(data, socket.MSG_NOSIGNAL)

    def receive_raw(self, deadline: Deadline, what: str) -> bytes:
        """The next bare bytes before `deadline`; empty at the end."""
        self.await_input(deadline, what)
        try:
            return self._socket.recv(64)
        except ConnectionResetError:
            return b""
