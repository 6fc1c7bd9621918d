"""Core dumps that the kernel hands to a socket, where ``kernel.core_pattern`` says ``@/PATH``."""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import NamedTuple

from helpers.deadline import Deadline
from helpers.info import PidfdInfo
from helpers.sockets import UnixSocket
from helpers.uapi import InfoMask

SUID_DUMPABLE = "/proc/sys/fs/suid_dumpable"
_CORE_PATTERN = "/proc/sys/kernel/core_pattern"


class Crash(Enum):
    """Ways to crash."""

    ABORT = "sends itself SIGABRT"
    FAULT = "touches no memory"


class Dump(NamedTuple):
    """What a listener is told of the process that dumps its core."""

    pid: int
    info: PidfdInfo


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().rstrip("\n")


def suid_dumpable() -> int:
    """How dumpable a process is that has changed its ids: ``fs.suid_dumpable``."""
    return int(_read(SUID_DUMPABLE))


def obstacle() -> str | None:
    """Why no dump can be had on a socket; the pattern of this machine is never changed."""
    pattern = _read(_CORE_PATTERN)
    if not pattern.startswith("@/") or "%" in pattern:
        wanted = "in a machine of its own set kernel.core_pattern=@/PATH"
        return f"core dumps go to {pattern!r}; {wanted}"
    if os.path.exists(pattern[1:]):
        return f"core dumps go to {pattern!r}, on which somebody listens"
    if not os.access(os.path.dirname(pattern[1:]), os.W_OK):
        return f"core dumps go to {pattern!r}, which we may not listen on"
    return None


def crash(way: Crash) -> None:
    """Dump core and end; the dump is made whatever the limit was."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    if way is Crash.ABORT:
        os.abort()
    ctypes.string_at(0)


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Listen where the kernel hands its dumps to, until the block ends."""
    path = _read(_CORE_PATTERN)[1:]
    with UnixSocket.listen(path) as listener:
        try:
            yield Receiver(listener)
        finally:
            os.unlink(path)


class Receiver(NamedTuple):
    """Listens for dumps."""

    listener: UnixSocket

    def dump(self) -> Dump:
        """Take the next dump, ask about the process that makes it, and read it to its end."""
        with self.listener.accept(Deadline(), "a core dump") as connection:
            with connection.peer_pidfd() as pidfd:
                info = pidfd.info(InfoMask.COREDUMP)
            connection.drain(Deadline())
        assert info.pid is not None
        return Dump(info.pid, info)
