"""Core dumps that the kernel hands to a socket, where ``kernel.core_pattern`` says ``@/PATH``."""

from __future__ import annotations

import ctypes
import fcntl
import functools
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from typing import NamedTuple

from helpers import agent, coredump, process
from helpers.deadline import Deadline, wait_until
from helpers.info import PidfdInfo
from helpers.process import ThreadGroup
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
    with _alone():
        taken = os.path.exists(pattern[1:])
    if taken:
        return f"core dumps go to {pattern!r}, on which somebody listens"
    if not os.access(os.path.dirname(pattern[1:]), os.W_OK):
        return f"core dumps go to {pattern!r}, which we may not listen on"
    return None


def obstacle_to_any() -> str | None:
    """Why nobody can dump core here unseen, neither on a socket nor into a file."""
    return obstacle() if _read(_CORE_PATTERN).startswith("@/") else coredump.obstacle()


def crash(way: Crash) -> None:
    """Dump core and end; the dump is made whatever the limit was."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    if way is Crash.ABORT:
        os.abort()
    ctypes.string_at(0)


@contextmanager
def _alone() -> Iterator[None]:
    """Keep other runs of the suite, as workers of xdist are, from listening at the same time."""
    with open(_CORE_PATTERN, "rb") as file:

        def is_ours() -> bool:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        wait_until(is_ours, "other runs to be done with core dumps")
        yield


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Listen where the kernel hands its dumps to, until the block ends."""
    path = _read(_CORE_PATTERN)[1:]
    with _alone():
        process.zygote().call(_answer_for, path)
        try:
            with UnixSocket.listen(path) as listener:
                yield Receiver(listener)
        finally:
            process.zygote().call(_remove, path)


_removals: dict[str, Callable[[], object]] = {}


def _answer_for(path: str) -> None:
    """Let the zygote remove the socket, so that none is left over when pytest is killed."""
    _removals[path] = removal = functools.partial(_remove_if_there, path)
    agent.at_hangup.append(removal)


def _remove_if_there(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


def _remove(path: str) -> None:
    agent.at_hangup.remove(_removals.pop(path))
    _remove_if_there(path)


@contextmanager
def unkept(child: ThreadGroup) -> Iterator[Callable[[], None]]:
    """A block in which `child` dumps core where nobody keeps it.

    It is the first of new user and mount namespaces. The block is given what must be called once
    the cause of the dump is there, before anybody waits for its end.
    """
    child.leader.call(coredump.allow_in_private, os.geteuid(), os.getegid())
    if _read(_CORE_PATTERN).startswith("@"):
        with receiver() as listening:
            yield listening.discard
    else:
        yield lambda: None


class Receiver(NamedTuple):
    """Listens for dumps."""

    listener: UnixSocket

    def discard(self) -> None:
        """Take the next dump, and look at nothing."""
        with self.listener.accept(Deadline(), "a core dump") as connection:
            connection.drain(Deadline())

    def dump(self) -> Dump:
        """Take the next dump, ask about the process that makes it, and read it to its end."""
        with self.listener.accept(Deadline(), "a core dump") as connection:
            with connection.peer_pidfd() as pidfd:
                info = pidfd.info(InfoMask.COREDUMP)
            connection.drain(Deadline())
        assert info.pid is not None
        return Dump(info.pid, info)
