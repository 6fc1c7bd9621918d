"""Descriptors that are no pidfds, to be refused in place of one."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from enum import Enum

from helpers import syscalls
from helpers.descriptor import Descriptor, open_file


class NotAPidfd(Enum):
    """Kinds of descriptors that user space may take for a pidfd."""

    MEMFD = "a memfd"
    PIPE = "a pipe"
    SOCKET = "a socket"
    EPOLL = "an epoll instance"
    DIRECTORY = "a directory in /proc"
    NAMESPACE = "a namespace"
    PATH_ONLY = "a pidfd opened with O_PATH"


def _pipe() -> int:
    read, write = os.pipe()
    os.close(write)
    return read


def _epoll() -> int:
    with select.epoll() as epoll:
        return os.dup(epoll.fileno())


def _path_only() -> int:
    pidfd = syscalls.pidfd_open(os.getpid())
    try:
        return os.open(f"/proc/self/fd/{pidfd}", os.O_PATH | os.O_CLOEXEC)
    finally:
        os.close(pidfd)


_MAKERS: dict[NotAPidfd, Callable[[], int]] = {
    NotAPidfd.MEMFD: lambda: os.memfd_create("not a pidfd"),
    NotAPidfd.PIPE: _pipe,
    NotAPidfd.SOCKET: lambda: socket.socket(socket.AF_UNIX).detach(),
    NotAPidfd.EPOLL: _epoll,
    NotAPidfd.PATH_ONLY: _path_only,
}


def make(kind: NotAPidfd) -> Descriptor:
    """A descriptor of that kind."""
    if kind is NotAPidfd.DIRECTORY:
        return open_file("/proc/self", os.O_DIRECTORY)
    if kind is NotAPidfd.NAMESPACE:
        return open_file("/proc/self/ns/mnt")
    return Descriptor(_MAKERS[kind](), kind.value)
