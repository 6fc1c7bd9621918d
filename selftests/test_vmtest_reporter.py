"""What a run in a virtual machine tells of its tests, whoever runs them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from selftests.runner import ROOT, Project
from vmtest.results import FAILED, FINISHED, KernelResult

Told = Callable[..., KernelResult]


@pytest.fixture
def told(project: Callable[[str], Project], tmp_path: Path) -> Told:
    """Run some tests, and give what comes of the run outside."""

    def run(source: str, *options: str) -> KernelResult:
        made, path = project(source), tmp_path / "results"
        made.settings.update(VMTEST_RESULTS=str(path), PYTHONPATH=str(ROOT))
        made.run("-p", "vmtest.guest.reporter", *options)
        result = KernelResult("m", "o", "7.3.4", "tcg", end=FINISHED)
        for line in path.read_text().splitlines():
            result.take(json.loads(line))
        result.close()
        return result

    return run


def outcomes(result: KernelResult) -> dict[str, str]:
    """Of every test by its short name."""
    return {test.name.partition("::")[2]: test.outcome for test in result.tests}


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["plain", "two workers"])
def test_each_test_is_told_with_its_own_outcome(options: list[str], told: Told) -> None:
    """Results of workers come between each other's."""
    result = told(
        """
        @needs(features.INFO_EXIT)
        @pytest.mark.parametrize("number", range(4))
        def test_one(number): assert number != 2, "two"
        """,
        *options,
    )
    assert (result.collected, result.running) == (4, [])
    assert outcomes(result) == {
        f"test_one[{n}]": "failed" if n == 2 else "passed" for n in range(4)
    }
    assert result.features


def test_test_that_crashes_its_worker_has_failed(told: Told) -> None:
    """It has no report of its own; what the others tell is not lost."""
    result = told(
        """
        def test_good(): pass
        def test_crash(): os.kill(os.getpid(), signal.SIGKILL)
        """,
        "-n",
        "2",
    )
    assert outcomes(result) == {"test_good": "passed", "test_crash": "failed"}


def test_whatever_ran_when_the_machine_died_has_failed() -> None:
    """With two workers that is two tests."""
    result = KernelResult("m", "o", "7.3.4", "tcg", end="hung")
    for name in "ab":
        result.take({"start": name})
    result.take({"test": "a", "outcome": "passed", "why": "", "seconds": 0.1, "text": ""})
    result.take({"start": "c"})
    result.close()
    assert [test.name for test in result.tests if test.outcome == FAILED] == ["b", "c"]
