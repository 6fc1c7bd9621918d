"""What happened in this test, in order, with times and the acting task.

The journal of a failing test is printed below its traceback.
"""

from __future__ import annotations

import time
from typing import NamedTuple


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
    """The journal as lines, times in milliseconds since the first entry."""
    lines = entries()
    if not lines:
        return ""
    start = lines[0].at
    width = max(len(line.actor) for line in lines)
    return "\n".join(
        f"{(line.at - start) / 1e6:10.3f} ms  {line.actor:<{width}}  {line.event}" for line in lines
    )
