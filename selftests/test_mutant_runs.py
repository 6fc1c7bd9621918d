"""Which mutants a run of the command takes up, and with what: campaigns without a machine."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from mutants import catalogue
from mutants.campaign import Campaign
from mutants.run import Run
from mutants.verdicts import KILLED, SOUND, SURVIVED, Plan, Store, Verdict
from selftests.test_mutants import mutant
from vmtest import root
from vmtest.errors import UserError
from vmtest.results import FINISHED, Case, KernelResult

OPTIONS = {
    "again": False, "all_tests": False, "batch": 1, "jobs": 1, "no_c": False, "quick": False,
}  # fmt: skip
Ended = Callable[[Plan, Verdict, KernelResult], None]


class Fake:
    """A campaign that gives for each plan what `verdict` says, and keeps what it was asked."""

    def __init__(self, verdict: Callable[[Plan], Verdict]) -> None:
        """With no run yet."""
        self.verdict = verdict
        self.code = 0
        self.sound: Verdict | None = None
        self.runs: list[tuple[list[Plan], dict[str, Any]]] = []

    @staticmethod
    def key(*, suite: bool) -> str:
        """Always the same kernel and the same tests."""
        return f"key {suite}"

    def run(self, plans: list[Plan], jobs: int, ended: Ended, **options: object) -> None:
        """End every plan at once."""
        del jobs
        if plans:
            self.runs.append((plans, options))
        for plan in plans:
            result = KernelResult("", "", "", "", end=FINISHED, code=self.code)
            result.tests = [] if plan.only_c else [Case("tests/a.py::one", "passed")]
            ended(plan, self.verdict(plan), result)


def of(fake: Fake, store: Store, **options: object) -> Run:
    """A call of the command with these options."""
    return Run(cast(Campaign, fake), store, argparse.Namespace(**{**OPTIONS, **options}))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """With nothing in it."""
    return Store(tmp_path)


@pytest.fixture(autouse=True)
def _small_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "load", lambda: [mutant(c=("p", "q"))])


def sound(plan: Plan) -> Verdict:
    """Of the kernel without a mutant."""
    found = Verdict(SOUND, plan.edit, ours="" if plan.only_c else SURVIVED)
    if plan.only_c:
        found.programs = [{"program": name, "code": 0, "points": {}} for name in plan.mutant.c]
    return found


def test_sound_kernel_runs_the_c_suite_once_it_is_wanted(store: Store) -> None:
    """A run without it has kept the tests alone; they are not run again."""
    fake = Fake(sound)
    of(fake, store, no_c=True).sound()
    of(fake, store).sound()
    of(fake, store).sound()
    assert [[plan.only_c for plan in plans] for plans, _ in fake.runs] == [[False], [True]]
    assert fake.sound
    assert [record["program"] for record in fake.sound.programs] == ["p", "q"]
    assert fake.sound.ours == SURVIVED


def test_sound_kernel_whose_pytest_dies_is_an_error(store: Store) -> None:
    """What it did not run could not be held against a mutant."""
    fake = Fake(sound)
    fake.code = -9
    with pytest.raises(UserError, match="without a mutant pytest ended with -9"):
        of(fake, store).sound()


def asked(fake: Fake) -> list[list[tuple[bool, bool]]]:
    """Of each plan of each run, whether the C suite was in it, and whether alone."""
    return [[(plan.c, plan.only_c) for plan in plans] for plans, _ in fake.runs]


def plan(**changes: Any) -> Plan:
    """For a mutant that a program of the C suite is about."""
    return Plan(**{"mutant": mutant(c=("p",)), "number": 7, "edit": "key", "c": True, **changes})


def noticed(plan: Plan) -> Verdict:
    """By the tests, and not by the C suite, as far as they ran."""
    ours = "" if plan.only_c else KILLED
    return Verdict(plan.mutant.name, plan.edit, ours=ours, c=SURVIVED if plan.c else "")


def test_c_suite_that_was_left_out_is_run_later(store: Store) -> None:
    """Alone: what the tests say is known."""
    fake = Fake(noticed)
    of(fake, store, no_c=True).all([plan(c=False)])
    for _ in range(2):
        of(fake, store).all([plan()])
    assert asked(fake) == [[(False, False)], [(True, True)]]
    kept = Verdict("m", "key", ours=KILLED, c=SURVIVED, suite=root.suite_key())
    assert store.get("m", "key") == kept


@pytest.mark.parametrize("ours", [KILLED, SURVIVED])
def test_survivor_meets_tests_that_have_changed(
    ours: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once: one may have been written for it. Who was noticed is not run again."""
    fake = Fake(lambda plan: Verdict("m", plan.edit, ours=ours, everything=True))
    for state in ("old", "new", "new"):
        monkeypatch.setattr(root, "suite_key", lambda state=state: state)
        of(fake, store, no_c=True).all([plan(c=False)])
    assert len(fake.runs) == (2 if ours == SURVIVED else 1)


def test_reruns_are_of_the_same_tests(store: Store) -> None:
    """As the first run was asked for."""

    def doubtful(plan: Plan) -> Verdict:
        why = "" if plan.patient else "waited 20 s in vain for the zygote"
        return Verdict(plan.mutant.name, plan.edit, ours=KILLED, c=SURVIVED, why=why)

    fake = Fake(doubtful)
    of(fake, store, all_tests=True, quick=True).all([plan()])
    assert [plans[0].patient for plans, _ in fake.runs] == [False, True]
    for _, options in fake.runs:
        assert (options["everything"], options["quick"]) == (True, True)
