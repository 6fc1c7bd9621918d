"""Observers that are awake: one that polls all the time, and one that collects notifications."""

from __future__ import annotations

import os
import select
from collections.abc import Callable

from helpers import journal, process, syscalls
from helpers.deadline import Deadline
from helpers.descriptor import Descriptor
from helpers.pidfd import Pidfd
from helpers.polling import Polled, poll_on
from helpers.uapi import PollEvent
from helpers.wire import Channel


class Poller:
    """A process that polls a pidfd all the time, so that the kernel is asked amid a change."""

    def __init__(self, pidfd: Pidfd, polling: Callable[[Pidfd, Channel], Polled] = poll_on) -> None:
        """Return when the process polls; `polling` is one of `helpers.polling`."""
        self.pidfd = pidfd
        self._group = process.spawn(role=f"poller of {pidfd.role}")
        self._control, theirs = Channel.pair(self._group.role)
        self._order = self._group.leader.begin(polling, pidfd, theirs)
        theirs.close()
        self._control.receive_within(Deadline(), f"the first poll of {self._group!r}")

    def assert_saw_nothing(self, since: str) -> None:
        """End the polls, and fail if any of them, up to a last one now, told of an event."""
        __tracebackhide__ = True
        self._control.close()
        events, telling, rounds = self._order.result()
        journal.record(self._group, f"{telling} of {rounds} polls told {events} until {since}")
        now = self.pidfd.poll()
        assert (events, now) == (PollEvent.NONE, PollEvent.NONE), (
            f"{telling} of {rounds} polls told {events} of {self.pidfd!r} before {since}, "
            f"a poll now tells {now}"
        )


class Collector(Descriptor):
    """An edge-triggered epoll instance, which keeps every notification until it is taken.

    Two of them become one if nobody takes the first before the second comes.
    """

    def __init__(self, pidfd: Pidfd) -> None:
        """Collect what the kernel notifies of `pidfd` from now on."""
        self._epoll = select.epoll()
        self._epoll.register(pidfd.fileno(), select.EPOLLIN | select.EPOLLET)
        super().__init__(os.dup(self._epoll.fileno()), f"collector of {pidfd.role}")

    def take(self) -> list[PollEvent]:
        """The notifications since the last call."""
        found = list(map(PollEvent, syscalls.epoll_wait(self._epoll, 0).values()))
        journal.record(self.role, f"was notified: {found}" if found else "was not notified")
        return found

    def close(self) -> None:
        """Close the instance with its duplicate."""
        self._epoll.close()
        super().close()
