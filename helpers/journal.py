"""What happened in this test, in order, with times and the acting task.

The journal of a failing test is printed below its traceback.
"""

from __future__ import annotations

import time
from itertools import groupby
from typing import NamedTuple

_WIDEST_ACTOR = 40


class Entry(NamedTuple):
    """One line: monotonic time in nanoseconds, who acted, and what happened."""

    at: int
    actor: str
    event: str


_entries: list[Entry] = []


def record(actor: object, event: str, at: int | None = None) -> None:
    """Note that `actor` did or saw `event`, now or at the given monotonic nanosecond."""
    _entries.append(Entry(time.monotonic_ns() if at is None else at, str(actor), event))


def clear() -> None:
    """Begin a new test."""
    _entries.clear()


def entries() -> list[Entry]:
    """The entries of this test so far, in the order of their times."""
    return sorted(_entries)


def render() -> str:
    """The journal as lines, times in milliseconds since the first; repetitions share a line."""
    lines = entries()
    if not lines:
        return ""
    start = lines[0].at
    width = min(_WIDEST_ACTOR, max(len(line.actor) for line in lines))
    told = []
    for (actor, event), same in groupby(lines, key=lambda line: line[1:]):
        times = [(line.at - start) / 1e6 for line in same]
        again = f" ({len(times)} times, until {times[-1]:.3f} ms)" if len(times) > 1 else ""
        told.append(f"{times[0]:10.3f} ms  {actor:<{width}}  {event}{again}")
    return "\n".join(told)
