"""The search for a disagreement, by Hypothesis: an extra, so import this where it is needed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from helpers import journal, process
from helpers.model import orders
from helpers.model.differences import Disagreement
from helpers.model.moves import choices
from helpers.model.settling import Stuck
from helpers.model.shrinking import Found, replay, shorten
from helpers.model.steps import ThreadGroups

_STEPS_A_RUN, _RUNS_A_BATCH = 40, 10
_SETTINGS = settings(
    stateful_step_count=_STEPS_A_RUN,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
    print_blob=False,
)


class Effort(NamedTuple):
    """Steps taken, and the seconds that they took."""

    steps: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.steps} steps in {self.seconds:.1f} s, {self.steps / self.seconds:.0f} a second"
        )


class Search(RuleBasedStateMachine):
    """Runs of steps; each begins with nothing."""

    taken: ClassVar[int] = 0
    found: ClassVar[Found | None] = None

    def __init__(self) -> None:
        """Begin a run."""
        super().__init__()
        journal.clear()
        self.state = ThreadGroups()

    def take(self, rule: str, choose: Callable[[int], int]) -> None:
        """Take a step by a rule of `moves.RULES`; `choose` chooses one of so many."""
        kind = type(self)
        candidates = choices(self.state, rule)
        name, arguments = candidates[choose(len(candidates))]
        kind.taken += 1
        try:
            getattr(self.state, name)(**arguments)
        except BaseException as error:
            kind.found = kind.found or Found(error, self.state.script)
            raise

    def teardown(self) -> None:
        """End what the run has made."""
        self.state.finish()


def _rule(name: str) -> Callable[..., None]:
    @precondition(lambda self: bool(choices(self.state, name)))
    @rule(data=st.data())
    def take(self: Search, data: st.DataObject) -> None:
        self.take(name, lambda count: data.draw(st.integers(0, count - 1)))

    return take


def search(rules: Sequence[str], steps: int, number: int, seconds: float) -> Effort:
    """Take so many steps by some of `moves.RULES`, for so long at most; `number` is the seed.

    Raises `Disagreement` with a short sequence that leads to it.
    """
    __tracebackhide__ = True
    process.zygote().call(orders.prepare)
    methods = {name: _rule(name) for name in rules}
    start = time.monotonic()
    taken = 0
    while taken < steps and time.monotonic() - start < seconds:
        # A batch at a time: Hypothesis remembers all that it has tried, and time may run out.
        kind: type[Search] = seed(number)(type("Batch", (Search,), dict(methods)))
        runs = min(_RUNS_A_BATCH, -(-(steps - taken) // _STEPS_A_RUN))
        try:
            run_state_machine_as_test(kind, settings=settings(_SETTINGS, max_examples=runs))
        except (Exception, Stuck):
            if kind.found is None:
                raise
            raise Disagreement(_explain(kind.found, number)) from None
        taken, number = taken + kind.taken, number + 1
    return Effort(taken, time.monotonic() - start)


def _explain(found: Found, number: int) -> str:
    """What was found, and a test of it."""
    lines = []
    if not isinstance(found.error, Stuck):  # which would be waited for each time
        again = replay(found.script)
        if again is None:
            lines = ["This was seen once, and not when the same steps were taken again:"]
        else:
            found = shorten(again)
            found = replay(found.script) or found  # for the journal
    lines += [
        str(found.error) or repr(found.error),
        "",
        f"The steps as a test (found with --model-seed={number}):",
        "",
        "    from helpers.model.steps import ThreadGroups",
        "    from helpers.model.tasks import Sigchld",
        "",
        "",
        "    def test_sequence() -> None:",
        "        with ThreadGroups() as state:",
        *(f"            {taken}" for taken in found.script),
    ]
    return "\n".join(lines)
