"""Faults in the answers of the kernel: of ``PIDFD_GET_INFO``, of poll and its like, of files."""

from __future__ import annotations

import builtins
import io
import os
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from helpers import deadline, observe, polling
from helpers.uapi import GET_INFO_NUMBER, PIDFS_IOCTL_MAGIC, InfoMask, PidfdInfoStruct, PollEvent
from selftests.faults import boundary
from selftests.faults.boundary import Real
from selftests.faults.pidfds import target

EditInfo = Callable[[PidfdInfoStruct, InfoMask], None]
EditEvents = Callable[[int, int], int]

IN, OUT, HUP = int(PollEvent.IN), int(PollEvent.OUT), int(PollEvent.HUP)
_SLICE_MS = 5
_SHORT_WATCH, _SHORT_WAIT = 0.15, 0.5  # seconds


def is_get_info(request: int) -> bool:
    """Whether an ioctl is ``PIDFD_GET_INFO``, of whatever structure size."""
    return request & 0xFFFF == PIDFS_IOCTL_MAGIC << 8 | GET_INFO_NUMBER


def edit_info(edit: EditInfo) -> None:
    """Change what ``PIDFD_GET_INFO`` answers; `edit` is given the answer and what was asked."""

    def broken(real: Real, fd: int, request: int, argument: int | None = None) -> int:
        if not is_get_info(request) or not argument:
            return int(real(fd, request, argument))
        answer = PidfdInfoStruct.from_address(argument)
        asked = InfoMask(answer.mask)
        result = int(real(fd, request, argument))
        edit(answer, asked)
        return result

    boundary.wrap("ioctl", broken)


def edit_events(edit: EditEvents) -> None:
    """Change what poll, epoll and select say; `edit` is given a pidfd and its events.

    Sleepers are woken every now and then to be asked again, so that a fault can wake them.
    """

    def told(found: dict[int, int]) -> dict[int, int]:
        return {fd: edit(fd, events) if target(fd) else events for fd, events in found.items()}

    def again(wait: Callable[[int], dict[int, int]], fds: set[int], timeout: int) -> dict[int, int]:
        left = timeout
        at_once = told({**dict.fromkeys(fds, 0), **wait(0)})
        while not any(at_once.values()):
            found = wait(_SLICE_MS if left < 0 else min(_SLICE_MS, left))
            answer = told({**dict.fromkeys(fds, 0), **found})
            if any(answer.values()) or 0 <= left <= _SLICE_MS:
                return answer
            if any(found.values()):  # what is not to be seen must not keep us awake
                select.poll().poll(_SLICE_MS)
            left -= _SLICE_MS
        return at_once

    def poll(real: Real, fds: dict[int, int], timeout_ms: int) -> dict[int, int]:
        asked = {fd: events | PollEvent.HUP for fd, events in fds.items()}
        found = again(lambda ms: real(fds, ms), set(fds), timeout_ms)
        return {fd: events & (asked[fd] | ~(IN | OUT)) for fd, events in found.items()}

    def epoll_wait(real: Real, epoll: Any, timeout_ms: int) -> dict[int, int]:
        with open(f"/proc/self/fdinfo/{epoll.fileno()}", encoding="ascii") as file:
            fds = {int(line.split()[1]) for line in file if line.startswith("tfd:")}
        found = again(lambda ms: real(epoll, ms), fds, timeout_ms)
        return {fd: events for fd, events in found.items() if events}

    boundary.wrap("poll", poll)
    boundary.wrap("epoll_wait", epoll_wait)
    boundary.replace(polling, "select", _select(told))


def _select(told: Callable[[dict[int, int]], dict[int, int]]) -> SimpleNamespace:
    """The module as `helpers.polling` needs it, with other answers."""

    class Poller:
        def __init__(self, real: Any) -> None:
            self._real = real
            self._fds: list[int] = []

        def register(self, fd: int, events: int) -> None:
            self._real.register(fd, events)
            self._fds.append(fd)

        def modify(self, fd: int, events: int) -> None:
            self._real.modify(fd, events)

        def poll(self, timeout: float) -> list[tuple[int, int]]:
            found = told({**dict.fromkeys(self._fds, 0), **dict(self._real.poll(timeout))})
            return [(fd, events) for fd, events in found.items() if events]

    @contextmanager
    def epoll() -> Iterator[Poller]:
        with select.epoll() as real:
            yield Poller(real)

    names = {"POLLIN": select.POLLIN, "EPOLLIN": select.EPOLLIN}
    return SimpleNamespace(**names, poll=lambda: Poller(select.poll()), epoll=epoll)


def watch_shortly() -> None:
    """Let watchers give up soon, for faults by which they would never be woken."""
    boundary.replace(observe, "Deadline", lambda: deadline.Deadline(_SHORT_WATCH))


def wait_shortly(what: str) -> None:
    """Let waits for `what` end soon, for faults by which it never comes."""

    def broken(real: Real, condition: Callable[[], bool], awaited: str, **more: Any) -> None:
        if what in awaited:
            more["seconds"] = _SHORT_WAIT
        real(condition, awaited, **more)

    boundary.rewrite(deadline, deadline.wait_until, broken)


def edit_file(module: Any, start: str, edit: Callable[[str, str], str]) -> None:
    """Change the text of files below `start` that `module` reads; `edit` is given path and text."""

    def opened(path: Any, *args: Any, **more: Any) -> Any:
        file = builtins.open(path, *args, **more)
        if not str(path).startswith(start):
            return file
        with file:
            return io.StringIO(edit(str(path), file.read()))

    boundary.replace(module, "open", opened)


def edit_stat(edit: Callable[[int, list[Any]], None]) -> None:
    """Change what ``fstat`` says of pidfds; `edit` is given the descriptor and the fields."""

    def broken(real: Real, fd: int) -> os.stat_result:
        found = real(fd)
        if not target(fd):
            return found  # type: ignore[no-any-return]
        fields = list(found)
        edit(fd, fields)
        return os.stat_result(fields)

    boundary.wrap("os.fstat", broken)
