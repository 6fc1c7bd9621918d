"""Descriptors that are no pidfds, to be refused in place of one; and one that passes for one."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from enum import Enum

from helpers import syscalls, syscalls_access
from helpers.descriptor import Descriptor, open_file


class NotAPidfd(Enum):
    """Kinds of descriptors that user space may take for a pidfd."""

    FILE = "a regular file"
    DIRECTORY = "a directory"
    DEVICE = "a device"
    MEMFD = "a memfd"
    PIPE = "a pipe"
    SOCKET = "a socket"
    EPOLL = "an epoll instance"
    EVENTFD = "an eventfd"
    TIMERFD = "a timerfd"
    SIGNALFD = "a signalfd"
    INOTIFY = "an inotify instance"
    NAMESPACE = "a namespace"
    PROC = "the root of /proc"
    OWN_STATUS = "a file of /proc/self"
    OWN_THREAD = "/proc/thread-self"
    OWN_PATH = "/proc/self opened with O_PATH"
    PATH_ONLY = "a pidfd opened with O_PATH"

    def __str__(self) -> str:
        return self.value


ONLY_PATHS = frozenset((NotAPidfd.OWN_PATH, NotAPidfd.PATH_ONLY))
"""Those on which few calls work at all."""


def _open(path: str, flags: int = os.O_RDONLY) -> Callable[[], int]:
    return lambda: os.open(path, flags | os.O_CLOEXEC)


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
    NotAPidfd.FILE: _open(os.path.abspath(__file__)),
    NotAPidfd.DIRECTORY: _open("/", os.O_DIRECTORY),
    NotAPidfd.DEVICE: _open("/dev/null"),
    NotAPidfd.MEMFD: lambda: os.memfd_create("not a pidfd"),
    NotAPidfd.PIPE: _pipe,
    NotAPidfd.SOCKET: lambda: socket.socket(socket.AF_UNIX).detach(),
    NotAPidfd.EPOLL: _epoll,
    NotAPidfd.EVENTFD: syscalls_access.eventfd,
    NotAPidfd.TIMERFD: syscalls_access.timerfd,
    NotAPidfd.SIGNALFD: syscalls_access.signalfd,
    NotAPidfd.INOTIFY: syscalls_access.inotify,
    NotAPidfd.NAMESPACE: _open("/proc/self/ns/mnt"),
    NotAPidfd.PROC: _open("/proc", os.O_DIRECTORY),
    NotAPidfd.OWN_STATUS: _open("/proc/self/status"),
    NotAPidfd.OWN_THREAD: _open("/proc/thread-self", os.O_DIRECTORY),
    NotAPidfd.OWN_PATH: _open("/proc/self", os.O_PATH | os.O_DIRECTORY),
    NotAPidfd.PATH_ONLY: _path_only,
}


def make(kind: NotAPidfd) -> Descriptor:
    """A descriptor of that kind."""
    return Descriptor(_MAKERS[kind](), kind.value)


def process_directory(pid: int) -> Descriptor:
    """The directory of a process in /proc, which ``pidfd_send_signal`` takes for a pidfd."""
    return open_file(f"/proc/{pid}", os.O_DIRECTORY)
