"""Features of children that the kernel reaps and kills; see `helpers.features`."""

from __future__ import annotations

import errno

from helpers import autoreap, process, procfs
from helpers.features import Feature, Forbidden, Present, Verdict, errno_of, judge
from helpers.kernel import Version
from helpers.uapi import CloneFlag


def _clone_probe(flags: CloneFlag) -> Verdict:
    # Behind all looks at the flags comes the store of the pidfd, to which no address is given.
    child = process.spawn(role="probe")
    error = errno_of(lambda: child.leader.call(autoreap.ask, flags))
    if error == errno.EFAULT:
        return Present()
    return judge(error, f"clone3({flags})", (errno.EINVAL, errno.ENOSYS))


def _probe_nnp_unset() -> Verdict:
    if procfs.status("self").get("NoNewPrivs") == "1":
        return Forbidden("no_new_privs is set for the whole run, as containers and systemd may do")
    return Present()


AUTOREAP = Feature("CLONE_AUTOREAP", Version(7, 1), lambda: _clone_probe(autoreap.AUTOREAP))
NNP = Feature("CLONE_NNP", Version(7, 1), lambda: _clone_probe(CloneFlag.PIDFD | CloneFlag.NNP))
AUTOKILL = Feature("CLONE_PIDFD_AUTOKILL", Version(7, 1), lambda: _clone_probe(autoreap.AUTOKILL))
NNP_UNSET = Feature("children without no_new_privs", Version(4, 10), _probe_nnp_unset)
