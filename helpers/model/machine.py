"""The search for a disagreement, by Hypothesis, which is an extra: imported when it is needed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from helpers import journal, process
from helpers.model import orders
from helpers.model.moves import MOVES
from helpers.model.steps import ThreadGroups

STEPS_A_RUN = 40


class Search(RuleBasedStateMachine):
    """Runs of steps; each begins with nothing."""

    taken = 0
    state: ThreadGroups

    def __init__(self) -> None:
        """Begin a run."""
        super().__init__()
        journal.clear()
        type(self).last = self.state = ThreadGroups()

    def teardown(self) -> None:
        """End what the run has made."""
        self.state.finish()


def _rule(name: str) -> Callable[..., None]:
    candidates = MOVES[name]

    @precondition(lambda self: candidates(self.state))
    @rule(data=st.data())
    def take(self: Search, data: st.DataObject) -> None:
        found = candidates(self.state)
        arguments = found[data.draw(st.integers(0, len(found) - 1))]
        type(self).taken += 1
        getattr(self.state, name)(**arguments)

    return take


def machine(names: list[str]) -> type[Search]:
    """A search among the steps of these names."""
    return type("Search", (Search,), {name: _rule(name) for name in names})


class Effort(NamedTuple):
    """Steps taken, and the seconds that they took."""

    steps: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.steps} steps in {self.seconds:.1f} s, {self.steps / self.seconds:.0f} a second"


def search(names: list[str], steps: int, number: int) -> Effort:
    process.zygote().call(orders.prepare)
    kind = seed(number)(machine(names))
    start = time.monotonic()
    run_state_machine_as_test(
        kind,
        settings=settings(
            max_examples=max(1, steps // STEPS_A_RUN),
            stateful_step_count=min(steps, STEPS_A_RUN),
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
            print_blob=False,
        ),
    )
    return Effort(kind.taken, time.monotonic() - start)
