"""The steps of a sequence as they are written down: the lines of a test."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from helpers import journal

if TYPE_CHECKING:
    from helpers.model.steps import ThreadGroups

Step = TypeVar("Step", bound=Callable[..., Any])


class Taken(NamedTuple):
    """A step that was taken, or was not finished; prints as the line of a test."""

    name: str
    arguments: Mapping[str, object]
    result: object = None
    text: str = ""

    def __str__(self) -> str:
        return f"{self.result!r} = {self.text}" if self.result else self.text


def step(method: Step) -> Step:
    """Write the call into the script, let all come to rest, and compare what can be asked."""

    @functools.wraps(method)
    def taken(self: ThreadGroups, **arguments: object) -> object:
        words = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        text = f"state.{method.__name__}({words})"  # now: what a task is called may change
        entry = Taken(method.__name__, arguments, None, text)
        self.script.append(entry)
        journal.record("test", str(entry))
        result = method(self, **arguments)
        self.script[-1] = entry._replace(result=result)
        self.settle()
        return result

    return cast(Step, taken)
