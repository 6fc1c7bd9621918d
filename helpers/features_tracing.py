"""Features of tracers; see `helpers.features`."""

from __future__ import annotations

import errno

from helpers import process, tracing
from helpers.features import Feature, Forbidden, Verdict, errno_of, judge
from helpers.kernel import Version


def _probe_tracing() -> Verdict:
    tracer = process.spawn(role="probe")
    tracee = tracer.leader.fork(role="probe's tracee")
    error = errno_of(lambda: tracing.seize(tracer.leader, tracee.leader))
    if error == errno.EPERM:
        return Forbidden(
            "ptrace gives EPERM: kernel.yama.ptrace_scope, a seccomp filter or another security "
            "module forbids it"
        )
    return judge(error, "ptrace(PTRACE_SEIZE)", (errno.ENOSYS, errno.EIO))


TRACING = Feature("ptrace(2) of a child", Version(3, 4), _probe_tracing)
