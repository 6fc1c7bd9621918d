"""The whole suite where much is forbidden: no failure, and every skip with its true reason."""

from __future__ import annotations

import errno
import re
import sys

import pytest

from helpers.uapi import MACHINE
from selftests.runner import ROOT, Run
from selftests.sandbox import CANNOT

# What may be said: a feature that came later, or is not built in, or what forbids it here.
REASON = re.compile(
    r"kernel lacks .+ \(since v\d+\.\d+\)$"
    r"|.+: this kernel is built without CONFIG_\w+$"
    r"|forbidden here: .+: .+$"
    r"|.+, an extra: pip install \w+$"
)
FILTERED = re.compile(
    r"seccomp|EPERM|EACCES|EROFS|ENOSPC|Operation not permitted|container|no CAP_"
)

PLACES = {
    "root in a container": ["container"],
    "root in a container of an old runtime": ["container", "old"],
    "root in a container without a filter": ["container", "none"],
    "user in a container": ["container-user"],
    "user in a container of an old runtime": ["container-user", "old"],
    "ordinary user": ["as-nobody"],
    "ordinary user who sees his own processes only": ["hidden-processes"],
    "ordinary user without rights in user namespaces": ["user-without-rights"],
    "root in a user namespace": ["root-of-a-user-namespace", "65536"],
    "root in a user namespace of nine ids": ["root-of-a-user-namespace", "9"],
    "root of other ids in a user namespace": ["root-of-a-user-namespace", "65536", "", "100000"],
    "root in the last user namespace allowed": ["root-of-a-user-namespace", "65536", "0"],
    "root who cannot write to /proc": ["read-only", "/proc"],
    "root without CAP_KILL": ["root-without", "5"],
    "root without CAP_SYS_PTRACE": ["root-without", "19"],
    "root without CAP_SETFCAP": ["root-without", "31"],
    "pidfd_send_signal refused": ["forbid", "pidfd_send_signal", str(errno.EPERM)],
    "pidfd_open refused": ["forbid", "pidfd_open", str(errno.EPERM)],
    "user namespaces refused": ["forbid", "user namespaces", str(errno.EPERM)],
    "clone3 hidden": ["forbid", "clone3", str(errno.ENOSYS)],
    "kernel from before pidfds": ["forbid", "everything of pidfds", str(errno.ENOSYS)],
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_nothing_fails_where_much_is_forbidden(place: list[str]) -> None:
    """What is forbidden is skipped, and says by what; the rest runs."""
    if MACHINE not in ("x86_64", "aarch64", "riscv64"):
        pytest.skip(f"no filter is written for {MACHINE}")
    words = [sys.executable, str(ROOT / "selftests" / "sandbox.py"), *place, "--"]
    words += [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no"]
    run = Run.of(words, cwd=ROOT, timeout=280)
    if run.code == CANNOT:
        pytest.skip(run.err.strip())
    assert run.code == 0, run.out[-6000:] + run.err
    assert run.counts["passed"] > 15
    wrong = [reason for reason in run.skips if not REASON.match(reason)]
    assert not wrong
    assert any(FILTERED.search(reason) for reason in run.skips)
