"""Features of pidfds from fanotify; see `helpers.features`."""

from __future__ import annotations

import errno
import os

from helpers.fanotify import Group
from helpers.features import Feature, Forbidden, Verdict, _errno, _judge
from helpers.kernel import Version
from helpers.uapi_files import FAN_REPORT_TID


def _probe(flags: int = 0) -> Verdict:
    error = _errno(lambda: Group.listen(os.path.abspath(__file__), flags).close())
    if error == errno.EPERM:
        return Forbidden("fanotify_init(FAN_REPORT_PIDFD) gives EPERM: no CAP_SYS_ADMIN")
    return _judge(error, "fanotify_init(FAN_REPORT_PIDFD)", (errno.EINVAL, errno.ENOSYS))


PIDFDS = Feature("pidfds from fanotify", Version(5, 15), _probe, ("FANOTIFY",))
THREAD_PIDFDS = Feature(
    "pidfds of threads from fanotify", Version(7, 2), lambda: _probe(FAN_REPORT_TID), ("FANOTIFY",)
)
