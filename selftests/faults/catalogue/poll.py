"""Faults of notifications: premature, late, lost, and of other events."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from helpers.uapi import PollEvent
from selftests.faults import answers, boundary
from selftests.faults.answers import HUP, IN, OUT
from selftests.faults.boundary import Real
from selftests.faults.pidfds import field_of, state, target
from selftests.faults.registry import breaks, edits_events, fault


@edits_events
def premature_notification(fd: int, events: int) -> int:
    """A leader that exits before its subthreads is not notified of."""
    return events | (IN if state(fd) == "Z" else 0)


@fault()
def late_premature_notification() -> None:
    """Nothing is notified of a leader that exits before its subthreads, not even later."""
    seen: dict[int, float] = {}

    def edit(fd: int, events: int) -> int:
        if state(fd) != "Z":
            return events
        since = time.monotonic() - seen.setdefault(fd, time.monotonic())
        return events | (IN if since > 0.005 else 0)

    answers.edit_events(edit)


@edits_events
def notification_by_an_exec(fd: int, events: int) -> int:
    """An exec is not the end of a process."""
    try:
        changed = os.readlink(f"/proc/{target(fd)}/exe") != os.readlink("/proc/self/exe")
    except OSError:
        changed = False
    return events | (IN if changed else 0)


@edits_events
def notification_by_a_stop(fd: int, events: int) -> int:
    """A stop is not the end of a process."""
    return events | (IN if state(fd) == "T" else 0)


@edits_events
def notification_of_the_living(fd: int, events: int) -> int:
    """A living task is not notified of."""
    return events | IN


@edits_events
def hangup_of_the_living(fd: int, events: int) -> int:
    """A living task does not hang up."""
    return events | HUP


@edits_events
def pidfd_is_writable(fd: int, events: int) -> int:
    """A pidfd is never to be written to."""
    return events | OUT


@breaks("poll", waits="stranger to poll")
def strangers_are_not_notified(real: Real, fds: dict[int, int], timeout_ms: int) -> dict[int, int]:
    """Whoever holds a pidfd may poll it, not only the parent of its process."""
    pids = [pid for pid in map(target, fds) if pid > 0]
    if timeout_ms and any(field_of(pid, "PPid") != os.getpid() for pid in pids):
        real({}, timeout_ms)  # nothing wakes it; poll(2) looks once more when the time is up
        timeout_ms = 0
    return dict(real(fds, timeout_ms))


def _watched_shortly(edit: Callable[[int, int], int]) -> None:
    answers.watch_shortly()
    answers.edit_events(edit)


@fault()
def lost_notification() -> None:
    """The end of a task is notified of."""
    _watched_shortly(lambda fd, events: 0)


@fault()
def only_one_sleeper_is_woken() -> None:
    """A notification is for all who sleep."""
    woken: list[int] = []

    def edit(fd: int, events: int) -> int:
        if events and not woken:
            woken.append(fd)
            return events
        return 0

    _watched_shortly(edit)


@edits_events
def hangup_before_the_reap(fd: int, events: int) -> int:
    """EPOLLHUP comes with the reap, not before."""
    return events | (IN | HUP if events & IN or state(fd) == "Z" else 0)


@fault()
def no_hangup() -> None:
    """EPOLLHUP comes once the task was reaped."""
    _watched_shortly(lambda fd, events: events & ~HUP)


@edits_events
def no_input_after_the_reap(fd: int, events: int) -> int:
    """EPOLLIN stays after the reap."""
    return events & ~(IN | PollEvent.RDNORM) if events & HUP else events


@breaks("select.select")
def select_tells_a_pidfd_as_writable(
    real: Real, reading: list[object], writing: list[object], *rest: object
) -> tuple[list[object], ...]:
    """For select a pidfd is readable at the end, and never writable."""
    readable, _, exceptional = real(reading, writing, *rest)
    return readable, writing, exceptional


@breaks("select.select")
def select_tells_nothing(
    real: Real, reading: list[object], *rest: object
) -> tuple[list[object], ...]:
    """For select the end of a process is readable."""
    return [], *real(reading, *rest)[1:]


@fault()
def end_is_told_to_the_parent_late() -> None:
    """When a pidfd tells of the end the parent can reap."""
    asked: list[int] = []

    def broken(real: Real, kind: int, which: int, options: int) -> object:
        found = real(kind, which, options)
        if found is not None and which not in asked:
            asked.append(which)
            return None if options & os.WNOHANG else found
        return found

    boundary.wrap("waitid", broken)


@breaks("waitid")
def zombie_leader_can_be_reaped(real: Real, kind: int, which: int, options: int) -> object:
    """A leader that exits before its subthreads is no child to reap."""
    found = real(kind, which, options)
    if found is None and state(which) == "Z":
        return os.waitid_result((target(which), 0, 17, 0, os.CLD_EXITED))
    return found


@breaks("signal.sigwaitinfo")
def sigchld_tells_the_leaders_own_status(real: Real, signals: list[int]) -> signal.struct_siginfo:
    """SIGCHLD has the outcome of the group, not that of a leader that exited before."""
    fields = list(real(signals))
    fields[1], fields[5] = os.CLD_EXITED, 3
    return signal.struct_siginfo(fields)


@breaks("os.read")
def something_can_be_read(real: Real, fd: int, length: int) -> bytes:
    """That a pidfd is readable does not mean that there is anything to read."""
    return b"" if target(fd) else bytes(real(fd, length))
