"""Every way in which a process comes by a pidfd, for orders to a child."""

from __future__ import annotations

import array
import fcntl
import os
import socket
from collections.abc import Callable

from helpers import clone, filesystem, syscalls, syscalls_access
from helpers.clone import Call
from helpers.descriptor import Descriptor
from helpers.pidfd import Pidfd
from helpers.sockets import UnixSocket
from helpers.uapi import CloneFlag

Way = Callable[[Descriptor], Pidfd]
"""Given a pidfd, for the ways that begin with one, it gives another."""

_kept: list[Pidfd] = []


def keep_by(way: Way, pidfd: Descriptor) -> bool:
    """Come by a pidfd and keep it; gives whether ``FD_CLOEXEC`` is set on it."""
    _kept.append(way(pidfd))
    return _kept[-1].closes_on_exec


def duplicate(pidfd: Descriptor) -> Pidfd:
    """``F_DUPFD``, which is what ``dup(2)`` does."""
    return Pidfd(fcntl.fcntl(pidfd.fileno(), fcntl.F_DUPFD, 0), "duplicate")


def duplicate_cloexec(pidfd: Descriptor) -> Pidfd:
    """``F_DUPFD_CLOEXEC``."""
    return Pidfd(fcntl.fcntl(pidfd.fileno(), fcntl.F_DUPFD_CLOEXEC, 0), "duplicate")


def receive(pidfd: Descriptor, flags: int = 0) -> Pidfd:
    """``SCM_RIGHTS``, received with `flags`."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        rights = array.array("i", [pidfd.fileno()])
        ours.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        _, [(_, _, data)], _, _ = theirs.recvmsg(1, socket.CMSG_SPACE(4), flags)
    return Pidfd(array.array("i", data)[0], "received")


def receive_cloexec(pidfd: Descriptor) -> Pidfd:
    """``SCM_RIGHTS``, received with ``MSG_CMSG_CLOEXEC``."""
    return receive(pidfd, socket.MSG_CMSG_CLOEXEC)


def copy(pidfd: Descriptor) -> Pidfd:
    """``pidfd_getfd(2)`` of a pidfd, from the process itself."""
    with Pidfd.open(os.getpid()) as own:
        return Pidfd(syscalls.pidfd_getfd(own.fileno(), pidfd.fileno()), "copy")


def peer(_: Descriptor) -> Pidfd:
    """``SO_PEERPIDFD`` of a socket pair."""
    ours, theirs = UnixSocket.pair()
    with ours, theirs:
        return ours.peer_pidfd()


def sender(_: Descriptor) -> Pidfd:
    """``SCM_PIDFD`` with a message of the process itself."""
    ours, theirs = UnixSocket.pair()
    with ours, theirs:
        ours.ask_for_pidfds()
        theirs.send(b"x")
        return ours.receive().sender()


def by_clone(_: Descriptor) -> Pidfd:
    """``clone(2)``, of a process that ends at once."""
    return clone.process(Call.CLONE, CloneFlag.PIDFD, 0).pidfd


def by_clone3(_: Descriptor) -> Pidfd:
    """``clone3(2)``, of a process that ends at once."""
    return clone.process(Call.CLONE3, CloneFlag.PIDFD, 0).pidfd


def by_clone_thread(_: Descriptor) -> Pidfd:
    """``clone(2)`` with ``CLONE_THREAD``."""
    return clone.thread().pidfd


def by_pid(_: Descriptor) -> Pidfd:
    """``pidfd_open(2)``."""
    return Pidfd.open(os.getpid())


def by_link(pidfd: Descriptor, flags: int = 0) -> Pidfd:
    """``open(2)`` of the link in /proc."""
    path = filesystem.proc_path(pidfd)
    return Pidfd(syscalls_access.open_as_told(path, flags | os.O_NOCTTY), "reopened")


def by_link_cloexec(pidfd: Descriptor) -> Pidfd:
    """``open(2)`` of the link in /proc, with ``O_CLOEXEC``."""
    return by_link(pidfd, os.O_CLOEXEC)


def by_handle(pidfd: Descriptor) -> Pidfd:
    """``open_by_handle_at(2)``."""
    return filesystem.open_handle(pidfd, filesystem.handle_of(pidfd), 0)


def by_handle_cloexec(pidfd: Descriptor) -> Pidfd:
    """``open_by_handle_at(2)`` with ``O_CLOEXEC``."""
    return filesystem.open_handle(pidfd, filesystem.handle_of(pidfd), os.O_CLOEXEC)
