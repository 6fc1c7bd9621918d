"""Faults of CLONE_AUTOREAP, CLONE_NNP and CLONE_PIDFD_AUTOKILL."""

from __future__ import annotations

import os
import signal
from typing import Any

from helpers import procfs
from helpers.uapi import PR_SET_PDEATHSIG, WALL, CloneFlag
from helpers.uapi_structs import CloneArgs
from selftests.faults import answers, boundary, pidfds
from selftests.faults.boundary import ECHILD, EFAULT, EINVAL, EPERM, Real
from selftests.faults.registry import breaks, fault

_AUTO = CloneFlag.AUTOREAP | CloneFlag.PIDFD_AUTOKILL


def _other_flags(change: Any) -> None:
    def broken(real: Real, args: CloneArgs) -> int:
        args.flags = change(CloneFlag(args.flags))
        return int(real(args))

    answers.watch_shortly()
    boundary.wrap("clone3", broken)


@fault()
def autoreap_does_nothing() -> None:
    """A child made with CLONE_AUTOREAP is reaped by the kernel."""
    _other_flags(lambda flags: flags & ~_AUTO)


@fault()
def autokill_does_nothing() -> None:
    """The last close of clone's pidfd kills a child made with CLONE_PIDFD_AUTOKILL."""
    _other_flags(lambda flags: flags & ~CloneFlag.PIDFD_AUTOKILL)


@fault(kills=True)
def autoreap_kills_too() -> None:
    """Without CLONE_PIDFD_AUTOKILL a close does not kill."""
    more = CloneFlag.PIDFD_AUTOKILL | CloneFlag.NNP
    _other_flags(lambda flags: flags | more if flags & CloneFlag.AUTOREAP else flags)


@fault()
def autoreap_sets_no_new_privs() -> None:
    """CLONE_AUTOREAP takes no rights from the child."""
    _other_flags(lambda flags: flags | CloneFlag.NNP if flags & CloneFlag.AUTOREAP else flags)


@fault()
def nnp_does_nothing() -> None:
    """CLONE_NNP sets no_new_privs on the child."""
    _other_flags(lambda flags: flags & ~CloneFlag.NNP)


@fault()
def flags_that_do_not_go_together_taken() -> None:
    """CLONE_AUTOREAP, CLONE_NNP and CLONE_PIDFD_AUTOKILL go with some flags only."""
    boundary.swap_errno("clone3", EINVAL, EFAULT)


@fault()
def autokill_needs_no_privilege() -> None:
    """Without CLONE_NNP autokill is for the privileged."""
    boundary.swap_errno("clone3", EPERM, EFAULT)


@breaks("clone3")
def autokill_needs_every_privilege(real: Real, args: CloneArgs) -> int:
    """CAP_SYS_ADMIN in the caller's user namespace is enough for autokill without CLONE_NNP."""
    flags = CloneFlag(args.flags)
    below = os.readlink("/proc/self/ns/user") != os.readlink(f"/proc/{os.getppid()}/ns/user")
    if flags & CloneFlag.PIDFD_AUTOKILL and not flags & CloneFlag.NNP and below:
        boundary.fail(EPERM)
    return int(real(args))


@breaks("fork_with")
def autoreap_is_inherited(real: Real, flags: int, exit_signal: int) -> int:
    """Children of an autoreap child are not reaped by the kernel."""
    if not flags & CloneFlag.PARENT:  # not in the zygote, which goes on after the fault
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    return int(real(flags, exit_signal))


@fault()
def plain_wait_sees_every_zombie() -> None:
    """Only __WALL shows the zombie of a child that sends no signal."""

    def with_wall(real: Real, kind: int, which: int, options: int) -> Any:
        return real(kind, which, options | WALL)

    boundary.instead_of_errno("os.waitid", ECHILD, with_wall)


def _is_condemned(pid: int) -> bool:
    """Whether it looks like a child with autokill: no_new_privs is set, and not on us."""
    return pid > 0 and pidfds.field_of(pid, "NoNewPrivs") > pidfds.field_of(
        os.getpid(), "NoNewPrivs"
    )


@breaks("os.close", kills=True)
def every_close_kills(real: Real, fd: int) -> None:
    """Only the last close of clone's pidfd kills, and that of no other pidfd."""
    pid = pidfds.target(fd)
    if _is_condemned(pid):
        os.kill(pid, signal.SIGKILL)
        while procfs.task_state(pid):
            os.sched_yield()
    real(fd)


@breaks("prctl", kills=True)
def autokill_by_the_end_of_the_parent(real: Real, option: int, value: int) -> int:
    """Who holds the pidfd decides, not who made the child."""
    return 0 if option == PR_SET_PDEATHSIG and not value else int(real(option, value))


@breaks("os.close")
def autokill_needs_a_right(real: Real, fd: int) -> None:
    """Who closes last needs no right over the child."""
    if pidfds.target(fd) > 0 and pidfds.unprivileged():
        os.dup(fd)  # so that it is not the last
    real(fd)


@breaks("ptrace")
def autoreap_in_spite_of_a_tracer(real: Real, request: int, tid: int, data: int = 0) -> None:
    """A child that is traced is the tracer's to reap first."""
