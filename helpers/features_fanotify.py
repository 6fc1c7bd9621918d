"""Features of pidfds from fanotify; see `helpers.features`."""

from __future__ import annotations

import errno
import os
import tempfile

from helpers.fanotify import Group
from helpers.features import Feature, Forbidden, Verdict, errno_of, judge
from helpers.kernel import Version
from helpers.uapi_files import FAN_REPORT_FD_ERROR, FAN_REPORT_FID, FAN_REPORT_TID
from helpers.words import errno_name


def _probe(flags: int = 0) -> Verdict:
    error = errno_of(lambda: Group.listen(os.path.abspath(__file__), flags).close())
    if error == errno.EPERM:
        return Forbidden("fanotify_init(FAN_REPORT_PIDFD) gives EPERM: no CAP_SYS_ADMIN")
    return judge(error, "fanotify_init(FAN_REPORT_PIDFD)", (errno.EINVAL, errno.ENOSYS))


def _probe_handles() -> Verdict:
    error = errno_of(lambda: Group.listen(tempfile.gettempdir(), FAN_REPORT_FID).close())
    if error in (errno.ENODEV, errno.EOPNOTSUPP, errno.EXDEV):
        return Forbidden(
            f"fanotify_mark gives {errno_name(error)}: "
            "the file system of temporary files has no handles for it"
        )
    return judge(error, "fanotify_mark with FAN_REPORT_FID", ())


def _probe_unprivileged() -> Verdict:
    error = errno_of(lambda: Group.new(FAN_REPORT_FID).close())
    return judge(error, "fanotify_init(FAN_REPORT_FID)", (errno.EINVAL, errno.ENOSYS))


PIDFDS = Feature("pidfds from fanotify", Version(5, 15), _probe, ("FANOTIFY",))
THREAD_PIDFDS = Feature(
    "pidfds of threads from fanotify", Version(7, 2), lambda: _probe(FAN_REPORT_TID), ("FANOTIFY",)
)
HANDLES = Feature("file handles from fanotify", Version(5, 15), _probe_handles, ("FANOTIFY",))
ERRORS = Feature(
    "errors in place of descriptors from fanotify",
    Version(6, 13),
    lambda: _probe(FAN_REPORT_FD_ERROR),
    ("FANOTIFY",),
)
UNPRIVILEGED = Feature(
    "fanotify groups without a privilege", Version(5, 13), _probe_unprivileged, ("FANOTIFY",)
)
