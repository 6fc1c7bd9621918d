"""Features of pidfds in /proc; see `helpers.features`."""

from __future__ import annotations

import errno
import os

from helpers import fdinfo, kernel
from helpers.features import Absent, Feature, Forbidden, Present, Verdict, errno_of, judge
from helpers.kernel import Version
from helpers.pidfd import Pidfd


def _probe_nspid() -> Verdict:
    with Pidfd.open(os.getpid()) as pidfd:
        found = fdinfo.shown(pidfd)
    return Present() if found.nspid else Absent(f"fdinfo of a pidfd is {found}")


def _probe_own_proc() -> Verdict:
    error = errno_of(lambda: fdinfo.with_own_proc("probe"))
    call = "mount of proc in new user, pid and mount namespaces"
    if error == errno.EPERM:
        hidden = "parts of /proc are out of sight (hidepid, mounts over it)"
        return Forbidden(f"{call} gives EPERM: {hidden}, or {kernel.what_forbids()}")
    return judge(error, call, (errno.EINVAL,))


NSPID = Feature("NSpid in fdinfo of pidfds", Version(5, 5), _probe_nspid, ("PID_NS",))
OWN_PROC = Feature(
    "a procfs of another pid namespace", Version(3, 8), _probe_own_proc, ("USER_NS", "PID_NS")
)
