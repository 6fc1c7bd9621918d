"""What a test must leave as it found it: descriptors, children, threads, mounts, signals, taint."""

from __future__ import annotations

import os
import signal
from typing import NamedTuple

from helpers import info, process, procfs
from helpers.deadline import DeadlineExpired, wait_until


class Snapshot(NamedTuple):
    """The state of the pytest process, and of the kernel, that outlives a test."""

    descriptors: frozenset[str]
    children: frozenset[str]
    threads: frozenset[str]
    mounts: frozenset[str]
    signals: frozenset[str]
    taint: frozenset[str]


# Not a test's doing: pytest-timeout's alarm, which a failure switches off, and the two signals
# that the C library keeps for itself and catches from its first thread on.
_NOT_OURS = {signal.SIGALRM, 32, 33}


def take() -> Snapshot:
    """The state now."""
    fields = procfs.status("self")
    zygote = process.zygote()
    return Snapshot(
        descriptors=frozenset(_descriptors(zygote.descriptors)),
        children=frozenset(f"pid {pid}" for pid in procfs.children() - zygote.pids),
        threads=frozenset(f"tid {tid}" for tid in os.listdir("/proc/self/task")),
        mounts=frozenset(_lines("/proc/self/mountinfo")),
        signals=frozenset(_signals(fields)),
        taint=frozenset(_lines("/proc/sys/kernel/tainted")),
    )


def check(before: Snapshot) -> None:
    """Fail with all that is left over since `before`; what is on its way out is waited for."""
    __tracebackhide__ = True
    said = process.zygote().new_errors()
    assert not said, f"a child failed in its own code:\n{said}"
    try:
        wait_until(lambda: take() == before, "a clean state", seconds=1)
    except DeadlineExpired:
        raise AssertionError("\n".join(differences(before, take()))) from None


def differences(before: Snapshot, after: Snapshot) -> list[str]:
    """What has come and what has gone, a line each."""
    lines = []
    for kind, old, new in zip(Snapshot._fields, before, after):
        lines += [f"left over in {kind}: {name}" for name in sorted(new - old)]
        lines += [f"gone from {kind}: {name}" for name in sorted(old - new)]
    return lines


def _signals(fields: dict[str, str]) -> list[str]:
    return [
        f"{info.signal_name(number)} {word}"
        for key, word in (("SigBlk", "blocked"), ("SigIgn", "ignored"), ("SigCgt", "caught"))
        for number in procfs.signal_set(fields[key]) - _NOT_OURS
    ]


def _descriptors(known: set[int]) -> list[str]:
    found = []
    for fd in set(map(int, os.listdir("/proc/self/fd"))) - known:
        try:
            found.append(f"{fd} -> {os.readlink(f'/proc/self/fd/{fd}')}")
        except FileNotFoundError:  # the one that listed the directory
            pass
    return found


def _lines(path: str) -> list[str]:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().splitlines()
