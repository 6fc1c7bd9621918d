"""What a run in a virtual machine tells of its tests, whoever runs them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from selftests.runner import ROOT, Project
from vmtest.results import FAILED, KernelResult


@pytest.fixture
def told(
    project: Callable[[str], Project], tmp_path: Path, request: pytest.FixtureRequest
) -> list[dict[str, Any]]:
    """What a run of four tests tells, of which one fails while others run."""
    made = project("""
        @needs(features.INFO_EXIT)
        @pytest.mark.parametrize("number", range(4))
        def test_one(number): assert number != 2, "two"
    """)
    path = tmp_path / "results"
    made.settings.update(VMTEST_RESULTS=str(path), PYTHONPATH=str(ROOT))
    made.run("-p", "vmtest.guest.reporter", *request.param)
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("told", [[], ["-n", "2"]], ids=["plain", "two workers"], indirect=True)
def test_each_test_is_told_with_its_own_outcome(told: list[dict[str, Any]]) -> None:
    """Results of workers come between each other's."""
    result = KernelResult("m", "o", "7.3.4", "tcg")
    for record in told:
        result.take(record)
    assert (result.collected, result.running) == (4, [])
    found = {test.name.partition("::")[2]: test.outcome for test in result.tests}
    assert found == {f"test_one[{n}]": "failed" if n == 2 else "passed" for n in range(4)}
    assert result.features


def test_whatever_ran_when_the_machine_died_has_failed() -> None:
    """With two workers that is two tests."""
    result = KernelResult("m", "o", "7.3.4", "tcg", end="hung")
    for name in "ab":
        result.take({"start": name})
    result.take({"test": "a", "outcome": "passed", "why": "", "seconds": 0.1, "text": ""})
    result.take({"start": "c"})
    result.close()
    assert [test.name for test in result.tests if test.outcome == FAILED] == ["b", "c"]
