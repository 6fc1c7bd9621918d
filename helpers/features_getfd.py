"""Features of copying descriptors and of looking into processes; see `helpers.features`."""

from __future__ import annotations

import errno
import os

from helpers import getfd, process, rights
from helpers.expect import moved
from helpers.features import Feature, Forbidden, Verdict, errno_of, judge, where
from helpers.kernel import Version
from helpers.syscalls_access import kcmp_file


def _probe_getfd() -> Verdict:
    child = process.spawn(role="probe")
    with child.pidfd() as pidfd:
        error = errno_of(lambda: getfd.copy(pidfd, 2).close())
    return judge(error, "pidfd_getfd of a child's", (errno.ENOSYS,))


def _probe_unprivileged() -> Verdict:
    caller, _, pidfd = rights.equals()
    with pidfd:
        error = errno_of(lambda: caller.leader.call(getfd.copy, pidfd, 2).close())
    return _judge_ptrace(error, "pidfd_getfd of an equal's", ())


def _probe_sibling() -> Verdict:
    target, caller = process.spawn(role="probe"), process.spawn(role="probe's sibling")
    with target.pidfd() as pidfd:
        error = errno_of(lambda: caller.leader.call(getfd.copy, pidfd, 2).close())
    return _judge_ptrace(error, "pidfd_getfd of a sibling's", (errno.ENOSYS,))


def _judge_ptrace(error: int, what: str, missing: tuple[int, ...]) -> Verdict:
    if error == errno.EPERM:
        return Forbidden("kernel.yama.ptrace_scope, or another security module, forbids it")
    return judge(error, what, missing)


def refusals_of_the_ended() -> tuple[int, ...]:
    """What tells a caller beside a process that it has ended, whenever it looks.

    Where Yama restricts who may attach it refuses a process that is reaped but still looked up:
    yama_ptrace_access_check() of security/yama/yama_lsm.c.
    """
    due = moved(errno.ESRCH, old=errno.EBADF, since=(6, 9))
    return (*due, errno.EPERM) if _yama_restricts() else due


def _yama_restricts() -> bool:
    try:
        with open("/proc/sys/kernel/yama/ptrace_scope", "rb") as file:
            return file.read().strip() != b"0"
    except FileNotFoundError:
        return False


def _probe_kcmp() -> Verdict:
    own = os.getpid()
    error = errno_of(lambda: kcmp_file(own, 2, own, 2))
    return judge(error, "kcmp(self, self)", (errno.ENOSYS,))


PIDFD_GETFD = Feature("pidfd_getfd(2)", Version(5, 6), _probe_getfd)
SIBLING_GETFD = Feature("pidfd_getfd(2) of a process beside", Version(5, 6), _probe_sibling)
UNPRIVILEGED_GETFD = Feature(
    "pidfd_getfd(2) by a process without privileges",
    Version(5, 6),
    where(PIDFD_GETFD, _probe_unprivileged),
)
KCMP = Feature("kcmp(2)", Version(3, 5), _probe_kcmp, ("KCMP",))
