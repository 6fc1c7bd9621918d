"""Children that the kernel reaps, and kills, by the flags of ``clone3(2)`` since v7.1."""

from __future__ import annotations

import ctypes
import os
import signal

from helpers import agent, journal, syscalls, syscalls_clone
from helpers.deadline import Deadline
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.thread import Thread
from helpers.uapi import P_PID, WALL, CloneFlag
from helpers.uapi_structs import CloneArgs
from helpers.wire import Channel

AUTOREAP = CloneFlag.PIDFD | CloneFlag.AUTOREAP
AUTOKILL = AUTOREAP | CloneFlag.NNP | CloneFlag.PIDFD_AUTOKILL
"""With the flag, NNP, without which CAP_SYS_ADMIN is needed."""

THREAD = CloneFlag.VM | CloneFlag.SIGHAND | CloneFlag.THREAD


def bear(
    parent: Thread,
    flags: CloneFlag = AUTOREAP,
    exit_signal: int = 0,
    role: str = "autoreap child",
) -> tuple[ThreadGroup, Pidfd]:
    """Let `parent` make a child by ``clone3``; gives it with the only pidfd of that call.

    With PIDFD in `flags`; the parent keeps no copy of the pidfd.
    """
    handed, hand = Channel.pair("clone's pidfd")
    group = _bear(parent, hand, flags, exit_signal, role)
    hand.close()
    pidfd: Pidfd = handed.receive_within(Deadline(), "the pidfd that clone3 gave")
    handed.close()
    return group, pidfd


def bear_without_pidfd(parent: Thread, role: str = "autoreap child") -> ThreadGroup:
    """Let `parent` make a child with CLONE_AUTOREAP and no other flag."""
    return _bear(parent, None, CloneFlag.AUTOREAP, 0, role)


def _bear(
    parent: Thread, hand: Channel | None, flags: CloneFlag, exit_signal: int, role: str
) -> ThreadGroup:
    ours, theirs = Channel.pair(role)
    pid = parent.call(_make, theirs, hand, flags, exit_signal)
    theirs.close()
    group = ThreadGroup(pid, ours, role, parent=parent.group)
    group.leader.call(os.getpid)
    journal.record(parent, f"made {group!r} with {flags}")
    return group


def _make(channel: Channel, hand: Channel | None, flags: CloneFlag, exit_signal: int) -> int:
    slot = ctypes.c_int(-1)
    address = ctypes.addressof(slot) if hand else 0
    pid = syscalls_clone.clone3(CloneArgs(flags=flags, exit_signal=exit_signal, pidfd=address))
    if not pid:
        agent.live(channel)
    if hand:
        with Pidfd(slot.value, "clone's", pid) as pidfd:
            hand.send(pidfd)
    return pid


def ask(flags: CloneFlag, exit_signal: int = 0) -> None:
    """Ask ``clone3`` for a task that cannot come to be, since its pidfd has no place to go.

    EFAULT says that the kernel took all `flags`; it looks at them first. Without PIDFD in
    `flags` a child may come to be, and ends at once.
    """
    if not syscalls_clone.clone3(CloneArgs(flags=flags, exit_signal=exit_signal)):
        os._exit(agent.BUG)


def fork_with_copy(parent: Thread, pidfd: Pidfd) -> ThreadGroup:
    """A child of `parent`, made by ``fork``, that has inherited a copy of `pidfd`."""
    ours, theirs = Channel.pair("heir")
    pid = parent.call(agent.fork, theirs, CloneFlag.NONE, signal.SIGCHLD, pidfd)
    theirs.close()
    heir = ThreadGroup(pid, ours, "heir", parent=parent.group)
    heir.leader.call(os.getpid)
    return heir


def wait_for(pid: int) -> os.waitid_result | None:
    """Look for a child whatever its exit signal: a zombie cannot hide; ECHILD if there is none."""
    return os.waitid(P_PID, pid, os.WEXITED | WALL | os.WNOHANG)


def wait_as_waitpid(pid: int) -> os.waitid_result | None:
    """Look without ``__WALL``, which overlooks children that send no SIGCHLD."""
    return os.waitid(P_PID, pid, os.WEXITED | os.WNOHANG)


_kept: list[Pidfd] = []


def keep(pidfd: Pidfd) -> None:
    """Hold a copy of `pidfd` until the process ends, executes, or lets go."""
    _kept.append(pidfd.dup())


def keep_copy_of(holder: Pidfd, number: int) -> None:
    """Hold a copy, by ``pidfd_getfd(2)``, of the pidfd that the process `holder` has."""
    _kept.append(Pidfd(syscalls.pidfd_getfd(holder.fileno(), number), "copy").keep())


def let_go() -> None:
    """Close what is held."""
    while _kept:
        _kept.pop().close()
