"""What a test must leave as it found it: descriptors, children, threads, mounts, signals, taint."""

from __future__ import annotations

import functools
import os
import signal
from typing import NamedTuple

from helpers import info, process, procfs
from helpers.deadline import Deadline, DeadlineExpired, wait_until


class Snapshot(NamedTuple):
    """The state of the pytest process, and of the kernel, that outlives a test.

    Two are taken around every test, so what /proc tells is kept raw until something differs.
    """

    descriptors: frozenset[str]
    children: frozenset[int]
    threads: frozenset[str]
    mounts: bytes
    signals: tuple[int, ...]
    taint: bytes


# Not a test's doing: pytest-timeout's alarm, which a failure switches off, and the two signals
# that the C library keeps for itself and catches from its first thread on.
_NOT_OURS = sum(1 << number - 1 for number in (signal.SIGALRM, 32, 33))
# Of mounts, those that tests make: others come and go on a machine in use.
_MADE_BY_TESTS = (b" - pidfs ", b" - proc ", b" pidfd-")
_SIGNAL_FIELDS = {b"SigBlk": "blocked", b"SigIgn": "ignored", b"SigCgt": "caught"}


def take() -> Snapshot:
    """The state now."""
    zygote = process.zygote()
    if os.getpid() == 1:
        process.reap_orphans()
    return Snapshot(
        descriptors=frozenset(_descriptors(zygote.descriptors)),
        children=frozenset(zygote.strangers(procfs.children())),
        threads=_threads(),
        mounts=_mounts(_read("/proc/self/mountinfo")),
        signals=tuple(_signal_masks(_read("/proc/self/status"))),
        taint=_read("/proc/sys/kernel/tainted"),
    )


@functools.lru_cache(maxsize=2)
def _mounts(table: bytes) -> bytes:
    lines = table.splitlines(keepends=True)
    return b"".join(line for line in lines if any(word in line for word in _MADE_BY_TESTS))


_before: Snapshot | None = None  # of the test that runs
_clean: Snapshot | None = None  # at the end of the last one, if it was clean


def begin() -> None:
    """Remember the state before a test: that in which the one before it was found at its end.

    Its threads are new: pytest-timeout may give each test one.
    """
    global _before
    _before = (_clean or take())._replace(threads=_threads())


def end() -> list[str]:
    """What the test left behind, a line each; what is on its way out may go."""
    global _before, _clean
    before, _before = _before, None
    if before is None:  # the test was skipped before it began
        return []
    _clean = None
    said = process.zygote().new_errors()
    if said:
        return [f"a child failed in its own code:\n{said}"]
    try:
        wait_until(lambda: _is_clean(before), "a clean state", seconds=Deadline().length / 20)
    except DeadlineExpired:
        return differences(before, take())
    process.zygote().order_ahead()
    return []


def _is_clean(before: Snapshot) -> bool:
    global _clean
    now = take()
    if differences(before, now):
        return False
    _clean = now
    return True


def differences(before: Snapshot, after: Snapshot) -> list[str]:
    """What has come and what has gone, a line each."""
    if before == after:
        return []
    lines = []
    for kind, old, new in zip(Snapshot._fields, _told(before), _told(after)):
        lines += [f"left over in {kind}: {name}" for name in sorted(new - old)]
        if kind not in ("children", "threads"):  # an earlier test's, which has told of it
            lines += [f"gone from {kind}: {name}" for name in sorted(old - new)]
    return lines


def _told(snapshot: Snapshot) -> tuple[set[str], ...]:
    """The parts of a snapshot in words."""
    signals = {
        f"{info.signal_name(number)} {word}"
        for word, mask in zip(_SIGNAL_FIELDS.values(), snapshot.signals)
        for number in procfs.signal_set(f"{mask:x}")
    }
    return (
        set(snapshot.descriptors),
        {f"pid {pid}" for pid in snapshot.children},
        {f"tid {tid}" for tid in snapshot.threads},
        set(snapshot.mounts.decode(errors="replace").splitlines()),
        signals,
        {snapshot.taint.decode().strip()},
    )


def _threads() -> frozenset[str]:
    return frozenset(os.listdir("/proc/self/task"))


def _signal_masks(status: bytes) -> list[int]:
    starts = (status.index(field) + len(field) + 1 for field in _SIGNAL_FIELDS)
    return [int(status[start : status.index(b"\n", start)], 16) & ~_NOT_OURS for start in starts]


def _descriptors(known: set[int]) -> list[str]:
    found = []
    for fd in os.listdir("/proc/self/fd"):
        if int(fd) not in known:
            try:
                found.append(f"{fd} -> {os.readlink(f'/proc/self/fd/{fd}')}")
            except FileNotFoundError:  # the one that listed the directory
                pass
    return found


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        parts = iter(lambda: os.read(fd, 1 << 16), b"")
        return b"".join(parts)
    finally:
        os.close(fd)
