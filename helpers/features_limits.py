"""Features for the tests of what calls keep; see `helpers.features`."""

from __future__ import annotations

import errno

from helpers import limits, process
from helpers.features import USER_NAMESPACE, Feature, Forbidden, Verdict, errno_of, judge, where
from helpers.kernel import Version
from helpers.uapi import CloneFlag


def _probe(limit: str) -> Verdict:
    child = process.spawn(CloneFlag.NEWUSER, role="probe")
    error = errno_of(lambda: child.leader.call(limits.allow, limit, 1))
    if error == errno.EROFS:
        return Forbidden("/proc/sys is mounted read-only")
    return judge(error, f"writing {limit}", (errno.ENOENT,))


PID_NAMESPACE_LIMIT = Feature(
    "a limit of pid namespaces for a user namespace",
    Version(4, 9),
    where(USER_NAMESPACE, lambda: _probe(limits.PID_NAMESPACES)),
    ("USER_NS", "PID_NS"),
)
USER_NAMESPACE_LIMIT = Feature(
    "a limit of user namespaces for a user namespace",
    Version(4, 9),
    where(USER_NAMESPACE, lambda: _probe(limits.USER_NAMESPACES)),
    ("USER_NS",),
)
