"""Features of namespaces by pidfds; see `helpers.features`."""

from __future__ import annotations

import errno
import os
from functools import partial

from helpers import namespaces, process
from helpers.features import (
    USER_NAMESPACE,
    Absent,
    Feature,
    Present,
    Verdict,
    errno_of,
    judge,
    where,
)
from helpers.kernel import Version
from helpers.namespaces import Kind
from helpers.pidfd import Pidfd
from helpers.uapi import CloneFlag


def _probe_setns() -> Verdict:
    child, mover = process.spawn(role="probe"), process.spawn(role="probe's mover")
    with child.pidfd() as pidfd:
        child.leader.exit_group()
        # A kernel that knows pidfds looks for the zombie's namespaces, and finds none.
        error = errno_of(lambda: mover.leader.call(namespaces.enter, pidfd, CloneFlag.NEWNS))
    if error == errno.ESRCH:
        return Present()
    with mover.pidfd() as pidfd:  # one of the living; whether it is allowed is another question
        living = errno_of(lambda: mover.leader.call(namespaces.enter, pidfd, CloneFlag.NEWNS))
    if error == errno.EINVAL and living != errno.EINVAL:
        return Present()
    return judge(error, "setns(pidfd of a zombie)", (errno.EINVAL,))


def _probe_ioctls() -> Verdict:
    with Pidfd.open(os.getpid()) as pidfd:
        error = errno_of(lambda: namespaces.get(pidfd, namespaces.MNT).close())
    return judge(error, "PIDFD_GET_MNT_NAMESPACE", (errno.ENOTTY,))


def _probe_isolation() -> Verdict:
    error = errno_of(namespaces.isolated)
    return judge(error, "clone and unshare with every kind of namespace", (errno.EINVAL,))


def _probe_mapping() -> Verdict:
    child = process.spawn(CloneFlag.NEWUSER, role="probe")
    error = errno_of(lambda: namespaces.map_ids(child.pid, 0))
    return judge(error, "writing /proc/PID/uid_map", ())


def _probe_foreign() -> Verdict:
    error = errno_of(lambda: process.spawn(CloneFlag.NEWUTS, "probe"))
    return judge(error, "clone(CLONE_NEWUTS)", (errno.EINVAL,))


def _probe_kind(kind: Kind) -> Verdict:
    path = f"/proc/self/ns/{kind}"
    return Present() if os.path.exists(path) else Absent(f"{path} is missing")


def _probe_sharer() -> Verdict:
    family = process.spawn(CloneFlag.NEWUSER | CloneFlag.NEWNS, "probe")
    sharer = family.leader.fork(CloneFlag.FS, role="probe's sharer")
    target = family.leader.fork(CloneFlag.NEWNS | CloneFlag.NEWUTS, role="probe's target")
    both = CloneFlag.NEWNS | CloneFlag.NEWUTS
    with target.pidfd() as pidfd:
        error = errno_of(lambda: sharer.leader.call(namespaces.enter, pidfd, both))
    if error == errno.EINVAL:
        return Present()
    return Absent("setns(NEWNS|NEWUTS) is done for a process that shares its root directory")


_SINCE = {"cgroup": Version(4, 6), "time": Version(5, 6), "time_for_children": Version(5, 6)}

KIND = {
    kind: Feature(
        f"{kind} namespaces",
        _SINCE.get(kind.name, Version(3, 8)),
        partial(_probe_kind, kind),
        (kind.config,),
    )
    for kind in namespaces.KINDS
}
FOREIGN = Feature("a uts namespace for a child", Version(3, 8), _probe_foreign, ("UTS_NS",))
ID_MAPPING = Feature(
    "ids in a user namespace", Version(3, 8), where(USER_NAMESPACE, _probe_mapping), ("USER_NS",)
)
SETNS = Feature("setns(2) by a pidfd", Version(5, 8), _probe_setns)
IOCTLS = Feature("PIDFD_GET_*_NAMESPACE", Version(6, 11), _probe_ioctls)
ISOLATION = Feature(
    "namespaces of every kind for an ordinary child", Version(3, 8), _probe_isolation, ("USER_NS",)
)
# 7.3.4 has it and 7.3.0 has not: stable kernels got it, so the version of mainline says little.
SHARER_REFUSED = Feature(
    "setns(2) that refuses a shared root directory in every combination",
    Version(7, 4),
    where(USER_NAMESPACE, _probe_sharer),
    ("USER_NS", "UTS_NS"),
    rule=True,
)
