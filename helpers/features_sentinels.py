"""Features for the tests of self sentinels; see `helpers.features`."""

from __future__ import annotations

import errno

from helpers import limits, process
from helpers.features import Feature, Forbidden, Verdict, _errno, _judge
from helpers.kernel import Version
from helpers.uapi import CloneFlag


def _probe_limit() -> Verdict:
    child = process.spawn(CloneFlag.NEWUSER, role="probe")
    error = _errno(lambda: child.leader.call(limits.allow_pid_namespaces, 1))
    if error == errno.EROFS:
        return Forbidden("/proc/sys is mounted read-only")
    return _judge(error, f"writing {limits.PID_NAMESPACES}", (errno.ENOENT,))


PID_NAMESPACE_LIMIT = Feature(
    "a limit of pid namespaces for a user namespace",
    Version(4, 9),
    _probe_limit,
    ("USER_NS", "PID_NS"),
)
