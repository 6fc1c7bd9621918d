"""The search for a disagreement, by Hypothesis: an extra, so import this where it is needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from helpers import journal, process
from helpers.model import orders
from helpers.model.differences import Disagreement
from helpers.model.moves import MOVES
from helpers.model.settling import Stuck
from helpers.model.steps import ThreadGroups

_STEPS_A_RUN, _RUNS_A_BATCH = 40, 10
_SETTINGS = settings(
    stateful_step_count=_STEPS_A_RUN,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
    print_blob=False,
)


class Effort(NamedTuple):
    """Steps taken, and the seconds that they took."""

    steps: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.steps} steps in {self.seconds:.1f} s, {self.steps / self.seconds:.0f} a second"


class _Failure(NamedTuple):
    error: BaseException
    script: list[str]


class Search(RuleBasedStateMachine):
    """Runs of steps; each begins with nothing."""

    taken: ClassVar[int] = 0
    first: ClassVar[_Failure | None] = None
    last: ClassVar[_Failure | None] = None

    def __init__(self) -> None:
        """Begin a run."""
        super().__init__()
        journal.clear()
        self.state = ThreadGroups()

    def take(self, name: str, choose: Callable[[int], int]) -> None:
        """Take the step of this name, with such arguments as `choose` chooses from so many."""
        kind = type(self)
        candidates = MOVES[name](self.state)
        arguments = candidates[choose(len(candidates))]
        kind.taken += 1
        try:
            getattr(self.state, name)(**arguments)
        except BaseException as error:
            kind.last = _Failure(error, self.state.script)
            kind.first = kind.first or kind.last
            raise

    def teardown(self) -> None:
        """End what the run has made."""
        self.state.finish()


def _rule(name: str) -> Callable[..., None]:
    @precondition(lambda self: MOVES[name](self.state))
    @rule(data=st.data())
    def take(self: Search, data: st.DataObject) -> None:
        self.take(name, lambda count: data.draw(st.integers(0, count - 1)))

    return take


def search(names: Sequence[str], steps: int, number: int, seconds: float) -> Effort:
    """Take so many of the steps of these names, for so long at most; `number` is the seed.

    Raises `Disagreement` with the shortest sequence that was found.
    """
    process.zygote().call(orders.prepare)
    rules = {name: _rule(name) for name in names}
    start = time.monotonic()
    taken = 0
    while taken < steps and time.monotonic() - start < seconds:
        # A batch at a time: Hypothesis remembers all that it has tried, and time may run out.
        kind = seed(number)(type("Batch", (Search,), dict(rules)))
        runs = min(_RUNS_A_BATCH, -(-(steps - taken) // _STEPS_A_RUN))
        try:
            run_state_machine_as_test(kind, settings=settings(_SETTINGS, max_examples=runs))
        except (Exception, Stuck) as error:
            text = _render(kind, error, f"--model-seed={number}")
            raise Disagreement(text) from (None if isinstance(error, Disagreement) else error)
        taken, number = taken + kind.taken, number + 1
    return Effort(taken, time.monotonic() - start)


def _render(kind: type[Search], error: BaseException, again: str) -> str:
    """What was found, and a test of it."""
    failure = kind.first if isinstance(error, Flaky) else kind.last
    if failure is None:
        return f"the search failed: {error!r}"
    lines = [str(failure.error)]
    if isinstance(error, Flaky):
        lines.append("It was seen once, and not when the same steps were taken again: a race.")
    else:
        lines.append(f"It takes {len(failure.script)} steps ({again}); as a test:")
    lines += [
        "",
        "    from helpers.model.steps import ThreadGroups",
        "    from helpers.model.tasks import Sigchld",
        "",
        "    def test_sequence() -> None:",
        "        with ThreadGroups() as state:",
        *(f"            {line}" for line in failure.script),
    ]
    return "\n".join(lines)
