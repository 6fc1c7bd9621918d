"""Faults of the pidfds that AF_UNIX sockets give."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Callable
from typing import Any

from helpers.sockets import ROOM_FOR_PIDFD
from helpers.uapi_sockets import SCM_PIDFD, SO_PASSPIDFD, SO_PEERPIDFD
from selftests.faults import boundary, pidfds
from selftests.faults.boundary import EFAULT, EINVAL, EPERM, ESRCH, Real
from selftests.faults.registry import breaks, fault

_Found = tuple[bytes, list[Any], int, Any]


def _edit_peer(change: Callable[[int], int]) -> None:
    def broken(real: Real, own: socket.socket, level: int, name: int, *size: int) -> Any:
        found = real(own, level, name, *size)
        if (level, name) != (socket.SOL_SOCKET, SO_PEERPIDFD):
            return found
        return struct.pack("i", change(struct.unpack("i", found)[0]))

    boundary.wrap("socket.getsockopt", broken)


def _edit_sent(change: Callable[[int], int]) -> None:
    def edit(found: _Found, room: int, flags: int) -> _Found:
        text, ancillary, told, address = found
        changed = [
            (level, kind, struct.pack("i", change(struct.unpack("i", data)[0])))
            if kind == SCM_PIDFD
            else (level, kind, data)
            for level, kind, data in ancillary
        ]
        return text, changed, told, address

    _edit_message(edit)


def _edit_message(edit: Callable[[_Found, int, int], _Found]) -> None:
    """Change what arrives; `edit` is given the room and the flags as well."""

    def broken(real: Real, own: socket.socket, size: int, room: int = 0, flags: int = 0) -> Any:
        found = real(own, size, room, flags)
        ours = own.type == socket.SOCK_SEQPACKET and SCM_PIDFD not in [it[1] for it in found[1]]
        return found if ours else edit(found, room, flags)  # the suite's own are of that type

    boundary.wrap("socket.recvmsg", broken)


def _instead(fd: int) -> int:
    if fd < 0:
        return fd
    os.close(fd)
    return pidfds.of_another()


@fault()
def peer_is_another_process() -> None:
    """SO_PEERPIDFD is of the process at the other end."""
    _edit_peer(_instead)


@fault()
def peers_pidfd_kept_on_exec() -> None:
    """The pidfd of SO_PEERPIDFD is closed on exec."""
    _edit_peer(pidfds.kept_on_exec)


@breaks("socket.getsockopt")
def socket_without_a_peer_has_a_pidfd(real: Real, own: socket.socket, *args: int) -> Any:
    """A socket without a peer has no pidfd."""
    try:
        return real(own, *args)
    except OSError:
        return struct.pack("i", pidfds.of_another())


@fault()
def reaped_peer_is_unknown() -> None:
    """Of a reaped peer a pidfd can be had, as of a reaped sender."""

    def change(fd: int) -> int:
        if pidfds.target(fd) == -1:
            os.close(fd)
            boundary.fail(EINVAL)
        return fd

    _edit_peer(change)
    _edit_sent(change)


@fault()
def sender_is_another_process() -> None:
    """SCM_PIDFD is of the process that sent the message."""
    _edit_sent(_instead)


@fault()
def senders_pidfd_kept_on_exec() -> None:
    """The pidfd of SCM_PIDFD is closed on exec."""
    _edit_sent(pidfds.kept_on_exec)


@fault()
def pidfd_comes_unasked() -> None:
    """A message brings a pidfd only where it was asked for."""

    def edit(found: _Found, room: int, flags: int) -> _Found:
        text, ancillary, told, address = found
        more = [] if ancillary else [_pidfd_of(os.getpid())]
        return text, ancillary + more, told, address

    _edit_message(edit)


def _pidfd_of(pid: int) -> tuple[int, int, bytes]:
    return socket.SOL_SOCKET, SCM_PIDFD, struct.pack("i", os.pidfd_open(pid))


@fault()
def truncation_not_told() -> None:
    """A pidfd that is cut off sets MSG_CTRUNC."""
    _edit_message(lambda found, room, flags: (*found[:2], found[2] & ~socket.MSG_CTRUNC, found[3]))


@fault()
def pidfd_cut_off_is_leaked() -> None:
    """A pidfd that is cut off leaves no descriptor behind."""

    def edit(found: _Found, room: int, flags: int) -> _Found:
        if found[2] & socket.MSG_CTRUNC:
            leaked = pidfds.of_another()
            boundary.at_mend(lambda: os.close(leaked))
        return found

    _edit_message(edit)


def _without_pidfd(found: _Found) -> _Found:
    for _, kind, data in found[1]:
        if kind == SCM_PIDFD:
            os.close(struct.unpack("i", data)[0])
    return found[0], [], found[2] | socket.MSG_CTRUNC, found[3]


@fault()
def exact_room_is_too_small() -> None:
    """Room for a header and a descriptor is enough."""
    _edit_message(
        lambda found, room, flags: _without_pidfd(found) if room == ROOM_FOR_PIDFD else found
    )


@fault()
def look_at_a_message_brings_no_pidfd() -> None:
    """MSG_PEEK brings a pidfd as well."""
    _edit_message(
        lambda found, room, flags: _without_pidfd(found) if flags & socket.MSG_PEEK else found
    )


@fault()
def pidfd_is_stored_nowhere() -> None:
    """SO_PEERPIDFD needs an address to write to, and room that is no negative number."""
    boundary.accept("getsockopt", EFAULT, EINVAL, result=lambda: 4)


@breaks("socket.getsockopt")
def option_cannot_be_read_back(real: Real, own: socket.socket, level: int, *rest: int) -> Any:
    """SO_PASSPIDFD tells when it is on."""
    return 0 if rest[0] == SO_PASSPIDFD else real(own, level, *rest)


@fault()
def other_sockets_take_the_option() -> None:
    """A socket that carries no pidfds does not take SO_PASSPIDFD."""
    boundary.accept("socket.setsockopt", errno.EOPNOTSUPP)


@fault()
def full_table_is_a_full_system_for_sockets() -> None:
    """A receiver whose table is full is told EMFILE in the place of the pidfd."""
    _edit_sent(lambda number: -errno.ENFILE if number < 0 else number)


@breaks("recvmsg")
def pidfd_that_cannot_be_stored_is_leaked(real: Real, fd: int, control: int, room: int) -> bytes:
    """A pidfd that is not stored is closed."""
    leaked = os.dup(fd)
    boundary.at_mend(lambda: os.close(leaked))
    return bytes(real(fd, control, room))


@breaks("socket.accept")
def connection_brings_no_pidfds(real: Real, own: socket.socket) -> Any:
    """A connection has SO_PASSPIDFD where its listener has it."""
    made, address = real(own)
    made.setsockopt(socket.SOL_SOCKET, SO_PASSPIDFD, 0)
    return made, address


@breaks("socket.recvmsg")
def senders_bytes_are_glued(real: Real, own: socket.socket, *args: int) -> Any:
    """What comes at once is of one sender."""
    text, *rest = real(own, *args)
    if own.type == socket.SOCK_STREAM:
        own.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            text += own.recv(64)
        own.setblocking(True)
    return (text, *rest)


@fault()
def anybody_is_named_as_the_sender() -> None:
    """Only the privileged name another process as the sender."""
    boundary.accept("socket.sendmsg", EPERM)


@fault()
def nobody_is_named_as_the_sender() -> None:
    """A process that is named as the sender exists."""
    boundary.accept("socket.sendmsg", ESRCH)


@breaks("socket.sendmsg")
def sender_that_is_named_is_ignored(real: Real, own: socket.socket, parts: Any, *rest: Any) -> Any:
    """Who is named as the sender is the sender."""
    return real(own, parts) if rest and rest[0] and _names(rest[0]) else real(own, parts, *rest)


def _names(ancillary: list[tuple[int, int, bytes]]) -> bool:
    return ancillary[0][1] == socket.SCM_CREDENTIALS


@fault()
def option_is_told_by_other_sockets() -> None:
    """A socket that carries no pidfds does not tell of SO_PASSPIDFD."""
    boundary.accept("socket.getsockopt", errno.EOPNOTSUPP, result=lambda: 0)
