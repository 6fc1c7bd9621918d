"""Makes a sequence of steps shorter that ends in a disagreement.

Hypothesis would shrink the numbers behind its choices, and what they mean changes with every step
that is left out. Here each step keeps its meaning, so a tenth of the attempts is enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from helpers import journal
from helpers.deadline import Deadline
from helpers.model.moves import MOVES
from helpers.model.script import Taken
from helpers.model.settling import Stuck
from helpers.model.steps import ThreadGroups
from helpers.model.tasks import Group, Pidfd, Task

_SECONDS = 20.0

Made = dict[tuple[type, str], object]


class Found(NamedTuple):
    """An error, and the steps that led to it."""

    error: BaseException
    script: Sequence[Taken]


def shorten(found: Found) -> Found:
    """Leave out what is not needed: halves first, then ever smaller parts, from the end."""
    deadline = Deadline(_SECONDS)
    size = len(found.script) // 2
    while size and deadline.left_ms():
        before = len(found.script)
        end = before
        while end > 0 and deadline.left_ms():
            start = max(0, end - size)
            again = replay([*found.script[:start], *found.script[end:]])
            if again is not None and not isinstance(again.error, Stuck):
                found = again
            end = min(start, len(found.script))
        if size > 1 or len(found.script) == before:
            size //= 2
    return found


def replay(script: Sequence[Taken]) -> Found | None:
    """Take the steps of `script` again, but for those that are impossible without others."""
    journal.clear()
    with ThreadGroups() as state:
        made: Made = {_key(state.test.leader): state.test.leader}
        for taken in script:
            arguments = _translate(taken.arguments, made)
            if arguments not in MOVES[taken.name](state):
                continue
            try:
                result = getattr(state, taken.name)(**arguments)
            except (Exception, Stuck) as error:  # noqa: BLE001
                return Found(error, state.script)
            if taken.result is not None:
                made[_key(taken.result)] = result
            if isinstance(result, Group) and isinstance(taken.result, Group):
                made[_key(taken.result.threads[0])] = result.threads[0]
    return None


def _key(made: object) -> tuple[type, str]:
    """By kind and name: a leader is called as its group is."""
    assert isinstance(made, (Group, Task, Pidfd))
    return type(made), made.name


def _translate(arguments: Mapping[str, object], made: Made) -> dict[str, object]:
    """The same arguments, of what was made this time."""
    return {
        name: made.get(_key(value)) if isinstance(value, (Group, Task, Pidfd)) else value
        for name, value in arguments.items()
    }
