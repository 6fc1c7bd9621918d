"""The lists of what must run: what breaks them, and how that is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from helpers import pins
from selftests.runner import Project, Run

TWO = pins.Skips({("too old", "a.py::one"): 2, ("not root: x", "a.py::two"): 1})


def test_list_is_read_as_it_was_written() -> None:
    """Reason by reason."""
    text = "not root: x\n  1 a.py::two\ntoo old\n  2 a.py::one\n"
    assert pins.render(TWO) == text
    assert pins.parse(text) == TWO


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (TWO, []),
        ({("too old", "a.py::one"): 2}, ["a.py::two: 0 skipped, 1 pinned: not root: x"]),
        (TWO + Counter({("too old", "a.py::two"): 1}),
         ["a.py::two: 1 skipped, 0 pinned: too old"]),
        (TWO + Counter({("too old", "a.py::one"): 1}),
         ["a.py::one: 3 skipped, 2 pinned: too old"]),
    ],
    ids=["as pinned", "runs again", "skipped anew", "one more case"],
)  # fmt: skip
def test_every_difference_is_a_line(found: pins.Skips, told: list[str]) -> None:
    """With the test, both numbers and the reason."""
    assert pins.differences(TWO, Counter(found)) == told


def test_part_of_a_run_may_skip_less_and_never_more() -> None:
    """Of a selection only what it is about counts."""
    assert pins.differences(TWO, Counter(), seen={"a.py::one"}) == []
    new = pins.Skips({("lost", "a.py::one"): 1})
    (line,) = pins.differences(TWO, new, seen={"a.py::one"})
    assert line == "a.py::one: 1 skipped, 0 pinned: lost"


def test_tests_that_come_and_go_are_told() -> None:
    """By the number of their cases."""
    found = Counter({"a.py::one": 2, "a.py::new": 1})
    assert pins.counted("3 a.py::one\n1 a.py::gone\n", found) == [
        "a.py::gone: 0 cases, 1 pinned",
        "a.py::new: 1 cases, 0 pinned",
        "a.py::one: 2 cases, 3 pinned",
    ]


SOME = """
@pytest.mark.parametrize("n", range(3))
def test_one(n): pass

@pytest.mark.parametrize("n", range(2))
@needs(Feature("teleporting", Version(99, 0), lambda: Absent("no")))
def test_gated(n): pass

def test_two(): pass
"""


@pytest.fixture
def pinned(project: Callable[[str], Project]) -> Project:
    """A project with lists of `SOME`."""
    made = project(SOME)
    assert made.run("--pins=lists", "--write-pins").code == 0
    return made


def run(project: Project, *options: str) -> Run:
    """Against the lists."""
    return project.run("--pins=lists", *options)


@pytest.mark.parametrize("options", [[], ["-n", "2"], ["tests"]], ids=" ".join)
def test_run_that_is_as_pinned_is_good(options: list[str], pinned: Project) -> None:
    """By one process or several."""
    assert run(pinned, *options).code == 0


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=" ".join)
@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("def test_two(): pass", "def test_two(): pytest.skip('no')",
         "tests/test_scratch.py::test_two: 1 skipped, 0 pinned: no"),
        ("def test_two(): pass", "", "tests/test_scratch.py::test_two: 0 cases, 1 pinned"),
        ("range(3)", "range(1)", "tests/test_scratch.py::test_one: 1 cases, 3 pinned"),
    ],
    ids=["silent skip", "gone", "fewer cases"],
)  # fmt: skip
def test_difference_makes_a_green_run_red(
    before: str, after: str, told: str, options: list[str], pinned: Project
) -> None:
    """And is told below the run."""
    pinned.write(SOME.replace(before, after))
    found = run(pinned, *options)
    assert found.code == pytest.ExitCode.TESTS_FAILED
    assert f"\n{told}\n" in found.out


@pytest.mark.parametrize(
    "options", [["-k", "one"], ["tests/test_scratch.py::test_gated[0]"], ["-x", "-m", "needs"]],
    ids=" ".join,
)  # fmt: skip
def test_selection_is_no_difference(options: list[str], pinned: Project) -> None:
    """Somebody looks at a part."""
    assert run(pinned, *options).code == 0


def test_selection_is_not_written(pinned: Project) -> None:
    """It would unpin the rest."""
    found = run(pinned, "--write-pins", "-k", "one")
    assert found.code == pytest.ExitCode.USAGE_ERROR
    assert "--write-pins needs a run of all tests" in found.out + found.err


@pytest.mark.parametrize(
    ("options", "last"),
    [
        (["--collect-only"], "def test_three(): pass"),
        (["-x"], "def test_three(): assert False"),
        ([], "def test_three(): raise KeyboardInterrupt"),
        ([], "raise OSError"),
    ],
    ids=["collect only", "stop", "interrupt", "broken module"],
)
def test_part_of_a_run_is_neither_written_nor_compared(
    options: list[str], last: str, pinned: Project
) -> None:
    """It would unpin what had no turn, or miss it."""
    lists = {path: path.read_text() for path in (pinned.path / "lists").iterdir()}
    pinned.write(f"{SOME}\n{last}")
    told = run(pinned, "--write-pins", *options).out
    assert {path: path.read_text() for path in lists} == lists
    if "--collect-only" not in options:
        assert "was not written: the run did not come to its end" in told
    assert "not as pinned" not in run(pinned, *options).out


def test_kernel_without_a_list_is_told_how_to_make_one(project: Callable[[str], Project]) -> None:
    """In one line."""
    found = run(project(SOME))
    assert found.code == pytest.ExitCode.USAGE_ERROR
    assert "make one with --pins=lists --write-pins, and read it" in found.out + found.err
