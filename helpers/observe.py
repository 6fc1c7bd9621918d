"""Watchers that are asleep on a pidfd before the cause is triggered.

A watcher is a thread of the test's own process, inside ``poll(2)`` or ``epoll_wait(2)``. That it
saw nothing is proved without waiting: the kernel shows it still asleep in that very call, after
an event that is ordered behind the cause.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from enum import Enum
from typing import NamedTuple

from helpers import journal, procfs, syscalls
from helpers.deadline import Deadline, wait_until
from helpers.descriptor import Descriptor
from helpers.pidfd import Pidfd
from helpers.uapi import PollEvent

_quiet_seconds = 0.02


class How(Enum):
    """The call in which a watcher sleeps."""

    POLL = "poll"
    EPOLL_LEVEL = "epoll, level-triggered"
    EPOLL_EDGE = "epoll, edge-triggered"


class Notification(NamedTuple):
    """What woke a watcher, and when by the monotonic clock in nanoseconds."""

    events: PollEvent
    at: int


class Watcher:
    """One thread asleep on one pidfd until the kernel says something of it."""

    def __init__(self, pidfd: Pidfd, how: How = How.POLL, events: PollEvent = PollEvent.IN) -> None:
        """Return when the thread sleeps in the kernel; `events` is what it asks for."""
        self.pidfd, self.how, self.asked = pidfd, how, events
        self._notification: Notification | None = None
        read, write = os.pipe2(os.O_CLOEXEC)
        self._stop = Descriptor(read, "watcher's stop")
        self._stopper = Descriptor(write, "watcher's stop")
        self._epoll: select.epoll | None = None
        if how is not How.POLL:
            edge = select.EPOLLET if how is How.EPOLL_EDGE else 0
            self._epoll = select.epoll()
            self._epoll.register(pidfd.fileno(), events | edge)
            self._epoll.register(read, select.EPOLLIN)
        self._wait_call = self._sleep_in_poll if self._epoll is None else self._sleep_in_epoll
        self._thread = threading.Thread(target=self._run, daemon=True, name=str(self))
        self._thread.start()
        _watchers.append(self)
        wait_until(self._settled, f"{self} to fall asleep", state=self._where)
        if self._thread.is_alive() and self._notification is None:
            journal.record(self, "is asleep")  # else its waking is told when it is asked for

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        events = self._wait_call()
        if events:
            self._notification = Notification(events, time.monotonic_ns())

    def _sleep_in_poll(self) -> PollEvent:
        fd = self.pidfd.fileno()
        wanted = {fd: int(self.asked), self._stop.fileno(): int(PollEvent.IN)}
        # No timeout: at its end poll(2) asks once more, which would hide a lost wake-up.
        return PollEvent(syscalls.poll(wanted, -1)[fd])

    def _sleep_in_epoll(self) -> PollEvent:
        assert self._epoll is not None
        ready = syscalls.epoll_wait(self._epoll, -1)
        return PollEvent(ready.get(self.pidfd.fileno(), 0))

    def _settled(self) -> bool:
        """Whether the thread sleeps in its call, or is through with it."""
        if not self._thread.is_alive() or self._notification is not None:
            return True
        tid = self._thread.native_id
        if tid is None:
            return False
        number = procfs.current_syscall("self", tid)
        if number is not None:
            return number in syscalls.SLEEPING_IN_POLL
        # A kernel without /proc/PID/syscall: asleep is all that can be told.
        return not _SYSCALL_SHOWN and procfs.task_state(os.getpid(), tid) == "S"

    def _where(self) -> str:
        tid = self._thread.native_id or 0
        return procfs.told_state(os.getpid(), tid)

    def assert_silent(self, since: str, *, quiet: bool = False) -> None:
        """Fail if the kernel has notified by now, or would if asked.

        `since` names the event that came after what might have notified wrongly; with `quiet`,
        watch on for the quiet window, for a notification that comes late.
        """
        __tracebackhide__ = True
        wait_until(self._settled, f"{self} to settle", state=self._where)
        if quiet:
            self._thread.join(_quiet_seconds)
        self._assert_not_back()
        if self._notification is not None:
            journal.record(self, f"woke: {self._notification.events}", self._notification.at)
        woken = self._notification and self._notification.events
        assert woken is None, f"{self} was woken with {woken} by the time {since}"
        now = self.pidfd.poll(asked=self.asked)
        assert now == PollEvent.NONE, f"poll says {now} of {self.pidfd!r} when {since}"
        journal.record(self, f"still asleep when {since}")

    def assert_notified(self, events: PollEvent) -> Notification:
        """Fail unless the kernel wakes the watcher, with exactly `events`."""
        __tracebackhide__ = True
        self._thread.join(Deadline().length)
        self._assert_not_back()
        found = self._notification
        journal.record(self, f"woke: {found.events}" if found else "sleeps on", found and found.at)
        assert found is not None, self._never_woken(events)
        assert found.events == events, f"{self} was woken with {found.events}, {events} was due"
        return found

    def _assert_not_back(self) -> None:
        """Fail if the call, which has no timeout, has returned with nothing to tell."""
        __tracebackhide__ = True
        back = not self._thread.is_alive() and self._notification is None
        assert not back, f"{self} came back from its call without an event"

    def _never_woken(self, events: PollEvent) -> str:
        """The same poll, asked anew, tells a wake-up that was lost from an event that is none."""
        now = self.pidfd.poll(asked=self.asked)
        waited = f"was not woken within {Deadline().length:g} s"
        return f"{self} {waited}, {events} was due; a new poll says {now}"

    def close(self) -> None:
        """Wake the thread and wait for its end."""
        self._stopper.close()
        self._thread.join(Deadline().length)
        self._stop.close()
        if self._epoll is not None:
            self._epoll.close()

    def __str__(self) -> str:
        return f"watcher of {self.pidfd.role} ({self.how.value})"


_watchers: list[Watcher] = []
_SYSCALL_SHOWN = os.path.exists("/proc/self/syscall")


def close_all() -> None:
    """End the watchers of a test, before their descriptors are closed."""
    while _watchers:
        _watchers.pop().close()


def set_quiet_window(seconds: float) -> None:
    """Let every watch asked to be `quiet` go on for that long."""
    global _quiet_seconds
    _quiet_seconds = seconds
