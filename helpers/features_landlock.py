"""Features of Landlock; see `helpers.features`."""

from __future__ import annotations

import errno
from functools import partial

from helpers import landlock, process
from helpers.features import Feature, Forbidden, Verdict, errno_of, judge
from helpers.kernel import Version
from helpers.uapi_rights import Scope


def _probe_domain(scope: Scope) -> Verdict:
    child = process.spawn(role="probe")
    error = errno_of(lambda: child.leader.call(landlock.restrict, scope))
    if error == errno.EOPNOTSUPP:
        return Forbidden("it is not among the security modules that this machine was booted with")
    return judge(error, "landlock_create_ruleset", (errno.ENOSYS, errno.E2BIG, errno.EINVAL))


_OPTION = ("SECURITY_LANDLOCK",)
LANDLOCK = Feature("Landlock", Version(5, 13), partial(_probe_domain, Scope.NONE), _OPTION)
SIGNAL_SCOPE = Feature(
    "LANDLOCK_SCOPE_SIGNAL", Version(6, 12), partial(_probe_domain, Scope.SIGNAL), _OPTION
)
