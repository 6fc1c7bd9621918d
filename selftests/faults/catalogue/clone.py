"""Faults of CLONE_PIDFD by ``clone(2)`` and ``clone3(2)``."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
from collections.abc import Callable
from typing import Any

from helpers import agent, syscalls, syscalls_clone
from helpers.uapi import CloneFlag
from helpers.uapi_structs import CloneArgs
from selftests.faults import boundary, pidfds
from selftests.faults.boundary import Real
from selftests.faults.registry import breaks, fault

Change = Callable[[int, int], int]


def _edit_pidfd(change: Change) -> None:
    """Change the pidfd that comes with a new task; `change` is given tid and descriptor."""

    def clone(real: Real, *args: Any) -> tuple[int, int]:
        tid, fd = real(*args)
        return (tid, change(tid, fd)) if tid and fd >= 0 else (tid, fd)

    def clone3(real: Real, args: CloneArgs) -> int:
        tid = int(real(args))
        if tid and args.pidfd:
            slot = ctypes.c_int.from_address(args.pidfd)
            slot.value = change(tid, slot.value)
        return tid

    boundary.wrap("fork_with_pidfd", clone)
    boundary.wrap("start", clone)
    boundary.wrap("clone3", clone3)


@fault()
def clones_pidfd_kept_on_exec() -> None:
    """FD_CLOEXEC is set on clone's pidfd."""
    _edit_pidfd(lambda tid, fd: pidfds.kept_on_exec(fd))


@fault()
def clones_pidfd_nonblocking() -> None:
    """The status flags of clone's pidfd are those of pidfd_open without flags."""
    _edit_pidfd(lambda tid, fd: pidfds.add_status_flag(fd, os.O_NONBLOCK))


def _instead(fd: int, other: int) -> int:
    os.dup2(other, fd, inheritable=False)
    os.close(other)
    return fd


@fault()
def clones_pidfd_of_another() -> None:
    """Clone's pidfd is of the new task."""
    _edit_pidfd(lambda tid, fd: _instead(fd, pidfds.of_another()))


@fault()
def clones_pidfd_of_the_process() -> None:
    """The pidfd of a new thread has the scope of that thread."""
    _edit_pidfd(lambda tid, fd: _instead(fd, syscalls.pidfd_open(pidfds.field_of(tid, "Tgid"))))


@breaks("fork_with_pidfd", "clone3")
def child_inherits_its_own_pidfd(real: Real, *args: Any) -> Any:
    """The new process does not inherit its own pidfd."""
    leaked = syscalls.pidfd_open(os.getpid())
    made = real(*args)
    if made if isinstance(made, int) else made[0]:
        os.close(leaked)
    return made


@breaks("clone3")
def tid_not_stored(real: Real, args: CloneArgs) -> int:
    """CLONE_PARENT_SETTID stores the tid."""
    pid = int(real(args))
    if pid and args.parent_tid:
        ctypes.c_int.from_address(args.parent_tid).value = 0
    return pid


@breaks("fork_with_pidfd")
def clone_takes_any_flags(real: Real, flags: int, exit_signal: int) -> tuple[int, int]:
    """By clone CLONE_PIDFD goes neither with CLONE_PARENT_SETTID nor with CLONE_DETACHED."""
    wrong = CloneFlag.PARENT_SETTID | CloneFlag.DETACHED
    pid, fd = real(flags & ~wrong, exit_signal)
    return pid, fd


@breaks("clone3")
def clone3_takes_any_flags(real: Real, args: CloneArgs) -> int:
    """By clone3 CLONE_DETACHED is refused, and one address for pidfd and tid."""
    args.flags &= ~CloneFlag.DETACHED
    if args.parent_tid == args.pidfd:
        args.flags &= ~CloneFlag.PARENT_SETTID
    return int(real(args))


def _pause() -> None:
    try:
        agent.die_with_parent()
        while True:
            signal.pause()
    finally:
        os._exit(agent.BUG)


@fault()
def refused_clone_leaves_a_process() -> None:
    """A clone that fails for its pidfd makes no process."""

    def leave(real: Real, *args: Any) -> None:
        if not syscalls_clone.fork_with(0, signal.SIGCHLD):
            _pause()
        boundary.fail(errno.EMFILE if len(args) > 1 or args[0].pidfd else errno.EFAULT)

    for name in ("fork_with_pidfd", "clone3"):
        boundary.instead_of_errno(name, errno.EMFILE, leave)
    boundary.instead_of_errno("clone3", errno.EFAULT, leave)


@fault()
def clone_that_fails_late_leaves_its_pidfd() -> None:
    """A clone that fails after its pidfd was made takes it back."""

    def leave(real: Real, args: CloneArgs) -> None:
        syscalls.pidfd_open(os.getpid())
        boundary.fail(errno.EBADF)

    boundary.instead_of_errno("clone3", errno.EBADF, leave)


def _without(flag: CloneFlag) -> None:
    boundary.wrap("fork_with_pidfd", lambda real, flags, number: real(flags & ~flag, number))

    def clone3(real: Real, args: CloneArgs) -> int:
        args.flags &= ~flag
        return int(real(args))

    boundary.wrap("clone3", clone3)


@fault()
def shared_table_is_copied() -> None:
    """With CLONE_FILES the pidfd is in the table of both."""
    _without(CloneFlag.FILES)


@fault()
def sibling_is_a_child() -> None:
    """With CLONE_PARENT the pidfd is for who called, and the child for the parent."""
    _without(CloneFlag.PARENT)
