"""Descriptors that are no pidfds, one of each kind that a caller might take for one."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from helpers.descriptor import Descriptor, open_file


def _pipe() -> int:
    read, write = os.pipe2(os.O_CLOEXEC)
    os.close(write)
    return read


def _open(path: str, flags: int = os.O_RDONLY) -> Callable[[], int]:
    return lambda: os.open(path, flags | os.O_CLOEXEC)


KINDS: dict[str, Callable[[], int]] = {
    "regular file": _open(os.path.abspath(__file__)),
    "/dev/null": _open("/dev/null"),
    "pipe": _pipe,
    "socket": lambda: socket.socket(socket.AF_UNIX).detach(),
    "directory": _open("/", os.O_RDONLY | os.O_DIRECTORY),
    "/proc": _open("/proc", os.O_RDONLY | os.O_DIRECTORY),
    "own status in /proc": _open("/proc/self/status"),
    "own thread in /proc": _open("/proc/thread-self", os.O_RDONLY | os.O_DIRECTORY),
    "own path in /proc": _open("/proc/self", os.O_PATH | os.O_DIRECTORY),
}
"""Makers of descriptors, by name. None of them will do where a pidfd is due."""


def make(kind: str) -> Descriptor:
    """A descriptor of a kind in `KINDS`."""
    return Descriptor(KINDS[kind](), kind)


def process_directory(pid: int) -> Descriptor:
    """The directory of a process in /proc, which ``pidfd_send_signal`` takes for a pidfd."""
    return open_file(f"/proc/{pid}", os.O_DIRECTORY)
