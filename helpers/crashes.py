"""Core dumps that the kernel hands over.

To a socket, where ``kernel.core_pattern`` says ``@/PATH``; or to a program, see
`helpers.crash_helper`.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from typing import NamedTuple

from helpers import agent, coredump, crash_helper, process
from helpers.crash_helper import CORE_PATTERN
from helpers.deadline import Deadline, wait_until
from helpers.info import PidfdInfo
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.sockets import UnixSocket
from helpers.uapi import InfoMask

SUID_DUMPABLE = "/proc/sys/fs/suid_dumpable"


class Crash(Enum):
    """Ways to crash."""

    ABORT = "sends itself SIGABRT"
    FAULT = "touches memory that is not there"


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
    pattern = _read(CORE_PATTERN)
    if not pattern.startswith("@/") or "%" in pattern:
        wanted = "in a machine of its own set kernel.core_pattern=@/PATH"
        return f"core dumps go to {pattern!r}; {wanted}"
    with alone():
        taken = os.path.exists(pattern[1:])
    if taken:
        return f"core dumps go to {pattern!r}, on which somebody listens"
    if not os.access(os.path.dirname(pattern[1:]), os.W_OK):
        return f"core dumps go to {pattern!r}, which we may not listen on"
    return None


def obstacle_to_any() -> str | None:
    """Why nobody can dump core here unseen, neither on a socket nor into a file."""
    return obstacle() if _read(CORE_PATTERN).startswith("@/") else coredump.obstacle()


def crash(way: Crash) -> None:
    """Dump core and end; the dump is made whatever the limit was."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    if way is Crash.ABORT:
        os.abort()
    ctypes.string_at(0)


@contextmanager
def alone() -> Iterator[None]:
    """Keep other runs of the suite, as workers of xdist are, from listening at the same time."""
    with open(CORE_PATTERN, "rb") as file:

        def is_ours() -> bool:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        wait_until(is_ours, "other runs to be done with core dumps")
        yield


class Taker(Enum):
    """To what the kernel can hand a core dump."""

    SOCKET = "a socket"
    HELPER = "a helper"

    def __str__(self) -> str:
        return self.value


@contextmanager
def receiver(taker: Taker = Taker.SOCKET) -> Iterator[Receiver]:
    """Take what the kernel hands to `taker`, until the block ends."""
    with alone():
        if taker is Taker.HELPER:
            with UnixSocket.listen() as listener, crash_helper.installed(listener.address):
                yield Receiver(listener, taker)
            return
        removal = _Removal(_read(CORE_PATTERN)[1:])
        process.zygote().call(agent.undo_at_hangup, removal)
        try:
            with UnixSocket.listen(removal.path) as listener:
                yield Receiver(listener, taker)
        finally:
            process.zygote().call(agent.undo_now, removal)


class _Removal(NamedTuple):
    """Called, it removes a socket, so that none is left over when pytest is killed."""

    path: str

    def __call__(self) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self.path)


@contextmanager
def unkept(child: ThreadGroup) -> Iterator[Callable[[], None]]:
    """A block in which `child` dumps core where nobody keeps it.

    It is the first of new user and mount namespaces. The block is given what must be called once
    the cause of the dump is there, before anybody waits for its end.
    """
    child.leader.call(coredump.allow_in_private, os.geteuid(), os.getegid())
    if _read(CORE_PATTERN).startswith("@"):
        with receiver() as listening:
            yield listening.discard
    else:
        yield lambda: None


class Receiver(NamedTuple):
    """Listens for dumps."""

    listener: UnixSocket
    taker: Taker

    def discard(self) -> None:
        """Take the next dump, and look at nothing."""
        with self.listener.accept(Deadline(), "a core dump") as connection:
            if self.taker is Taker.SOCKET:  # the helper takes the dump once we hang up
                connection.drain(Deadline())

    @contextmanager
    def held(self) -> Iterator[None]:
        """Take the next dump, and read on only when the block ends."""
        with self.listener.accept(Deadline(), "a core dump") as connection:
            yield
            if self.taker is Taker.SOCKET:
                connection.drain(Deadline())

    def dump(self) -> Dump:
        """Take the next dump, ask about the process that makes it, and read it to its end."""
        with self.listener.accept(Deadline(), "a core dump") as connection:
            with self._pidfd(connection) as pidfd:
                info = pidfd.info(InfoMask.COREDUMP)
            if self.taker is Taker.SOCKET:
                connection.drain(Deadline())
        assert info.pid is not None
        return Dump(info.pid, info)

    def _pidfd(self, connection: UnixSocket) -> Pidfd:
        if self.taker is Taker.SOCKET:
            return connection.peer_pidfd()
        return Pidfd(connection.receive_descriptor(), "dumping process")
