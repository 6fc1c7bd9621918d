"""What a task does that polls a pidfd again and again, while others act.

It runs in a process of its own, so that it does not wait for the interpreter lock of the test.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import NamedTuple

from helpers.deadline import Deadline
from helpers.pidfd import Pidfd
from helpers.uapi import PollEvent
from helpers.wire import Channel


class Polled(NamedTuple):
    """What so many polls told: all events of any, and how many of them told one."""

    events: PollEvent
    telling: int
    rounds: int


def poll_on(pidfd: Pidfd, control: Channel) -> Polled:
    """Ask by ``poll(2)`` until the test hangs up on `control`; it hears when this has begun."""
    poller = select.poll()
    poller.register(pidfd.fileno(), select.POLLIN)
    poller.register(control.fileno(), select.POLLIN)
    return _repeat(lambda: poller.poll(0), pidfd, control)


def epoll_on(pidfd: Pidfd, control: Channel) -> Polled:
    """Ask by epoll until the test hangs up on `control`; it hears when this has begun.

    An instance that waits relies on the wake-ups of the past. To be registered anew makes it ask.
    """
    with select.epoll() as epoll:
        epoll.register(pidfd.fileno(), select.EPOLLIN)
        epoll.register(control.fileno(), select.EPOLLIN)

        def ask() -> list[tuple[int, int]]:
            epoll.modify(pidfd.fileno(), select.EPOLLIN)
            return epoll.poll(0)

        return _repeat(ask, pidfd, control)


def _repeat(ask: Callable[[], list[tuple[int, int]]], pidfd: Pidfd, control: Channel) -> Polled:
    deadline, events, telling, rounds = Deadline(), 0, 0, 0
    while True:
        ready = dict(ask())
        rounds += 1
        if pidfd.fileno() in ready:
            events |= ready[pidfd.fileno()]
            telling += 1
        if control.fileno() in ready:
            return Polled(PollEvent(events), telling, rounds)
        if rounds == 1:
            control.send("polls")
        if not deadline.left_ms():
            raise deadline.expired("the test to end the polls")
