"""Verdicts on mutants: how they come about, are kept and are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mutants import guest, page
from mutants.campaign import Batch, stages, step
from mutants.page import Row
from mutants.verdicts import BROKEN, KILLED, SURVIVED, Plan, Store, Verdict, c_failures, judge
from selftests.test_mutants import mutant
from vmtest import results
from vmtest.results import Case, KernelResult


def test_verdict_is_kept_until_the_edit_changes(tmp_path: Path) -> None:
    """So that an interrupted run goes on where it was."""
    store = Store(tmp_path)
    store.put(Verdict("poll: negate 1", "key", ours=SURVIVED, failed=["t"]))
    assert store.get("poll: negate 1", "key") == Verdict(
        "poll: negate 1", "key", ours=SURVIVED, failed=["t"]
    )
    assert store.get("poll: negate 1", "another") is None
    assert store.get("another", "key") is None
    store.path("poll: negate 1").write_text("{ half of it")
    assert store.get("poll: negate 1", "key") is None


def run(
    *tests: Case, end: str = results.FINISHED, code: int | None = None, **more: object
) -> KernelResult:
    """What a machine gave."""
    found = KernelResult("m", "o", "7.3.4", "tcg", end=end, code=code, boot_seconds=2.0)
    found.tests = list(tests)
    found.more = [dict(record) for record in more.get("more", [])]  # type: ignore[attr-defined]
    found.tail = ["Kernel panic - not syncing: x"]
    return found


GOOD, BAD = Case("tests/a/t.py::good", "passed"), Case("tests/a/t.py::bad", "failed", "why")


@pytest.mark.parametrize(
    ("result", "sound", "ours"),
    [
        (run(GOOD, BAD), None, KILLED),
        (run(GOOD), None, SURVIVED),
        (run(GOOD, BAD), Verdict("sound", "", failed=[BAD.name]), SURVIVED),
        (run(GOOD, end=results.PANIC), None, KILLED),
        (run(GOOD, end=results.HUNG), None, KILLED),
        (run(GOOD, code=1), None, SURVIVED),
        (run(GOOD, code=-9), None, BROKEN),
        (run(GOOD, code=4), None, BROKEN),
        (run(GOOD, BAD, code=-9), None, KILLED),
        (run(GOOD, BAD, end=results.LOST), None, BROKEN),
    ],
    ids=[
        "fails", "passes", "fails-when-sound", "panics", "hangs", "code 1", "pytest-dies",
        "pytest-refuses", "fails-and-pytest-dies", "qemu-dies",
    ],
)  # fmt: skip
def test_what_kills_a_mutant(result: KernelResult, sound: Verdict | None, ours: str) -> None:
    """A test that fails with it and not without it, or the end of the machine."""
    assert judge(Plan(mutant(), 7, "key", c=False), result, sound).ours == ours


def test_c_suite_that_dies_is_not_put_on_the_tests() -> None:
    """They had ended by then."""
    result = run(GOOD, end=results.PANIC, more=[{"begins": "pidfd_wait"}])
    plan = Plan(mutant(c=("pidfd_wait",)), 7, "key", c=True)
    verdict = judge(plan, result, None)
    assert (verdict.ours, verdict.c) == (SURVIVED, KILLED)
    assert verdict.c_failed == ["pidfd_wait: the kernel panicked"]


def test_c_suite_that_the_guest_does_not_end_is_not_judged() -> None:
    """Neither are the tests, whose code is not known: both are run again."""
    result = run(GOOD, code=70, more=[{"begins": "pidfd_wait"}])
    verdict = judge(Plan(mutant(c=("pidfd_wait",)), 7, "key", c=True), result, None)
    assert (verdict.ours, verdict.c) == (BROKEN, "")


@pytest.mark.parametrize(
    ("now", "failed"),
    [
        ({"code": 0, "points": {"a": "ok", "b": "not ok"}}, []),
        ({"code": 1, "points": {"a": "not ok", "b": "not ok"}}, ["p: a"]),
        ({"code": None, "points": {}}, ["p: no end"]),
        ({"code": None, "points": {"a": "not ok"}}, ["p: a"]),
        ({"code": -11, "points": {"a": "ok"}}, ["p: ends with -11"]),
    ],
    ids=["as-before", "worse", "no-end", "worse-without-end", "killed"],
)
def test_c_suite_is_held_against_its_own_run_on_the_sound_kernel(
    now: dict[str, object], failed: list[str]
) -> None:
    """What fails there as well says nothing."""
    sound = {"program": "p", "code": 0, "points": {"a": "ok", "b": "not ok"}}
    assert c_failures([{"program": "p", **now}], [sound]) == failed


def test_tests_about_a_mutant_come_first() -> None:
    """And the others after them, not twice."""
    first, then = stages(mutant(tests=("poll",)), 8, everything=False)
    assert first[-1] == "tests/poll"
    assert then[-2:] == ["--ignore=tests/poll", "tests"]


@pytest.mark.parametrize("everything", [False, True])
def test_survivor_of_all_tests_is_done(everything: bool) -> None:
    """Whether they were run in two stages or in one."""
    plan = Plan(mutant(tests=("poll",)), 7, "key", c=False)
    found = step(plan, 8, None, everything=everything, quick=False)["stages"]
    more = [guest.stage(number, arguments) for number, arguments in enumerate(found, 1)]
    assert judge(plan, run(GOOD, code=0, more=more), None).everything
    assert judge(plan, run(GOOD, code=0, more=more[:1]), None).everything == everything


def test_test_that_fails_on_the_sound_kernel_ends_no_stage() -> None:
    """It says nothing of a mutant, and the stages after it are to be run."""
    sound = Verdict("sound", "", failed=[BAD.name])
    plan = Plan(mutant(tests=("poll",)), 7, "key", c=False)
    for arguments in step(plan, 8, sound, everything=False, quick=False)["stages"]:
        assert f"--deselect={BAD.name}" in arguments


def test_page_tells_how_much_is_of_other_tests() -> None:
    """Than those that stand beside it."""
    rows = [Row(mutant(), Verdict("m", "k", ours=KILLED, suite=suite)) for suite in ("now", "old")]
    text = page.markdown(rows, suite="now", version="7.3.4", date="d", command="c", coverage="",
                         unbuilt=[])  # fmt: skip
    assert "\n1 verdicts are of earlier states of the tests.\n" in text


def test_table_says_who_noticed_and_who_did_not() -> None:
    """With the first tests, and the end of the machine."""
    killed = Verdict("a", "k", ours=KILLED, end=results.FINISHED, failed=[BAD.name], c=SURVIVED)
    died = Verdict("b", "k", ours=KILLED, end=results.PANIC, failed=[BAD.name])
    lived = Verdict("c", "k", ours=SURVIVED, end=results.FINISHED, everything=True)
    rows = [Row(mutant(name=verdict.name, c=("p",)), verdict) for verdict in (killed, died, lived)]
    text = page.markdown(
        rows, suite="", version="7.3.4", date="d", command="c", coverage="", unbuilt=[]
    )
    assert "| chosen mutants killed | 2 of 3 | 0 of 1 |" in text
    assert "| a | r | killed by t::bad | survived |" in text
    assert "| b | r | killed: the kernel panicked in t::bad | not run |" in text
    assert "| c | r | **survived** | not run |" in text
    assert "mechanical" not in text.lower()
    assert json.loads(json.dumps(page.said(lived))) == "**survived**"


def test_table_has_mechanical_mutants_that_survived_by_their_place() -> None:
    """And counts the others."""
    rows = [
        Row(mutant(name=ours, operator="drop", line=7), Verdict(ours, "k", ours=ours))
        for ours in (KILLED, SURVIVED)
    ]
    text = page.markdown(
        rows, suite="", version="7.3.4", date="d", command="c", coverage="", unbuilt=[]
    )
    assert "| mechanical mutants killed | 1 of 2 | not run |" in text
    place = f"{rows[0].mutant.file}:7"
    assert text.count(place) == 1
    assert f"| {SURVIVED} | {place} |" in text


def test_mutants_of_one_machine_are_told_apart() -> None:
    """Each gets its own tests; the one that was running when the machine died goes alone."""
    told: list[tuple[str, list[str], str]] = []
    plans = [Plan(mutant(name=name), 1, "key", c=False) for name in "abc"]
    batch = Batch(
        plans, lambda p, r: told.append((p.mutant.name, [t.name for t in r.tests], r.end))
    )
    passed = {"outcome": "passed", "why": "", "seconds": 0.1, "text": ""}
    for record in (
        {"booted": "7.3.4", "uptime": 2.0},
        {"mutant": "a"}, {"start": "x"}, {"test": "x", **passed}, {"done": "a"},
        {"mutant": "b"}, {"start": "y"},
    ):  # fmt: skip
        batch.listen(record)
    left = batch.died(run(end=results.PANIC))
    assert told == [("a", ["x"], results.FINISHED)]
    assert [plan.mutant.name for plan in left] == ["b", "c"]


@pytest.mark.parametrize(
    ("records", "ours", "words"),
    [
        ([{"done": "m", "code": 0}], SURVIVED, "**survived** (not all tests were run)"),
        ([{"done": "m", "code": -9}], BROKEN, "gave no result: pytest ended with -9"),
        ([], BROKEN, "gave no result: pytest ended with 70"),
        ([{"start": "y"}, {"done": "m", "code": -9}], KILLED, "killed by y"),
        ([{"start": "y"}], KILLED, "killed by y"),
    ],
    ids=["ends", "dies-between", "guest-ends-early", "dies-in-a-test", "guest-ends-in-a-test"],
)
def test_what_dies_without_a_panic_is_no_survivor(
    records: list[dict[str, Any]], ours: str, words: str
) -> None:
    """pytest, or who runs it in the machine, which then ends as if all were done."""
    told: list[KernelResult] = []
    plan = Plan(mutant(tests=("poll",)), 1, "key", c=False)
    batch = Batch([plan], lambda _, result: told.append(result))
    begun: list[dict[str, Any]] = [
        {"booted": "7.3.4", "uptime": 2.0}, {"mutant": "m"}, {"stage": 1, "last": False},
        {"start": "x"}, {"test": "x", "outcome": "passed", "why": "", "seconds": 0.1, "text": ""},
    ]  # fmt: skip
    for record in begun + records:
        batch.listen(record)
    batch.died(run(end=results.FINISHED, code=1))
    verdict = judge(plan, told[0], None)
    assert (verdict.ours, page.said(verdict)) == (ours, words)


def test_mutant_that_dies_alone_is_to_blame() -> None:
    """With the test that ran."""
    told: list[KernelResult] = []
    plan = Plan(mutant(), 1, "key", c=False)
    batch = Batch([plan], lambda _, result: told.append(result))
    for record in ({"booted": "7.3.4", "uptime": 2.0}, {"mutant": "m"}, {"start": "y"}):
        batch.listen(record)
    assert batch.died(run(end=results.HUNG)) == []
    assert told[0].end == results.HUNG
    verdict = judge(plan, told[0], None)
    assert page.said(verdict) == "killed: the kernel hung in y"


def test_program_that_is_not_there_is_told() -> None:
    """As a shell would; the others are still run."""
    record = guest._run_program("no_such_test", 1.0)
    assert (record["code"], record["points"]) == (127, {})


def test_points_of_the_c_suite_are_read() -> None:
    """Whatever the numbers in their names."""
    said = "TAP version 13\nok 1 one pid 17\n# not ok 2 two\nok 3 - three # SKIP no\nok4\n"
    assert guest.points(said) == {"one pid N": "ok", "two": "not ok", "three": "skip"}
