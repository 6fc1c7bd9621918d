"""The table, the progress line, and the words for the user."""

from __future__ import annotations

import io
import shutil

import pytest

from vmtest import __main__ as vmtest
from vmtest import progress, results, table
from vmtest.guestrun import Settings
from vmtest.results import Case, Feature, KernelResult


def result(label: str, *tests: Case, end: str = results.FINISHED, code: int = 0) -> KernelResult:
    """A result with these tests."""
    found = KernelResult(label, f"package-{label}@suite", f"{label}.1", "tcg", end=end, code=code)
    found.tests = list(tests)
    found.boot_seconds = 3.0
    return found


OLD = result(
    "6.12",
    Case("tests/poll/test_p.py::test_one[a]", "skipped", "kernel lacks it (since v6.15)"),
    Case("tests/poll/test_p.py::test_one[b]", "passed"),
    Case("tests/open/test_o.py::test_two", "known", "bug, fixed in v6.13"),
)
NEW = result(
    "7.3",
    Case("tests/poll/test_p.py::test_one[a]", "passed"),
    Case("tests/poll/test_p.py::test_one[b]", "failed", "assert 1 == 2"),
    Case("tests/open/test_o.py::test_two", "passed"),
    code=1,
)


def test_text_says_how_each_kernel_ended_and_what_failed() -> None:
    """Counts by subject, and one line a failure."""
    said = table.text([OLD, NEW]).splitlines()
    assert said[4:7] == ["subject  6.12   7.3", "open     k      +", "poll     1+ 1s  1+ 1F"]
    assert "  FAILED tests/poll/test_p.py::test_one[b]: assert 1 == 2" in said


def test_dead_kernel_shows_the_end_of_its_console() -> None:
    """In the text."""
    dead = result("7.0", end=results.PANIC)
    dead.tail = ["Kernel panic - not syncing: x"]
    said = table.text([dead])
    assert "it panicked; the last lines of its console:" in said
    assert "    Kernel panic - not syncing: x" in said


def test_dead_kernel_that_said_nothing_has_no_list_of_its_last_lines() -> None:
    """In the text."""
    said = table.text([result("7.0", end=results.NO_BOOT)])
    assert said.endswith("  it did not boot; its console says nothing\n")


def test_pytest_that_ran_nothing_shows_its_last_words() -> None:
    """In the text."""
    refused = result("7.0", code=4)
    refused.tail = ["ERROR: unrecognized arguments: --no-such"]
    said = table.text([refused])
    assert "  pytest ended with 4; the last that it said:\n    ERROR: unrecognized" in said


def test_page_has_a_row_a_test_and_every_reason() -> None:
    """With the kernels that it concerns."""
    page = table.markdown([OLD, NEW])
    assert "| test_one | 1+ 1s | 1+ 1**F** |" in page
    assert "- s kernel lacks it (since v6.15): 6.12 (1)" in page
    assert "- k bug, fixed in v6.13: 6.12 (1)" in page
    assert "- **F** assert 1 == 2: 7.3 (1)" in page


@pytest.mark.parametrize(
    ("found", "release", "cell"),
    [
        ("present", "6.15.0", "yes"),
        ("absent", "6.14.9", "no"),
        ("absent", "6.15.0", "no **!**"),
        ("present", "6.14.0", "yes **!**"),
        ("forbidden", "6.14.0", "forbidden"),
        ("unasked", "6.14.0", "-"),
    ],
)
def test_features_are_held_against_the_version(found: str, release: str, cell: str) -> None:
    """What is not as the version leads to expect is marked."""
    assert table.feature_cell(found, "v6.15", release) == cell


def test_page_holds_the_features() -> None:
    """By version."""
    found = result("6.12")
    found.features = [Feature("b", "v6.9", "present"), Feature("a", "v6.13", "absent")]
    lines = table.markdown([found]).splitlines()
    assert lines.index("| b | v6.9 | yes |") < lines.index("| a | v6.13 | no |")


def test_progress_tells_what_runs_what_is_left_and_how_long() -> None:
    """In one line."""
    boots, runs = result("6.1"), result("6.12", *OLD.tests)
    boots.boot_seconds, runs.collected = 0.0, 6
    assert progress.line([boots, runs], 1, 4, 60) == "6.1 boots, 6.12 3/6; 1 to come; 1:40 to go"


def test_progress_fits_its_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that wraps is not written over."""
    monkeypatch.setenv("COLUMNS", "12")
    out = io.StringIO()
    monkeypatch.setattr(out, "isatty", lambda: True)
    progress.Progress(1, out).show([result("6.12.117+deb13")])
    assert out.getvalue().removeprefix("\r\x1b[K") == "6.12.117+de"


def test_progress_is_quiet_where_nobody_looks() -> None:
    """Not one byte."""
    out = io.StringIO()
    shown = progress.Progress(1, out)
    shown.show([OLD])
    shown.ended(OLD)
    shown.close()
    assert out.getvalue() == ""


@pytest.mark.parametrize(
    ("cores", "cpus", "free", "expected"),
    [(1, 2, 9999, 1), (2, 2, 9999, 1), (2, 1, 9999, 2), (8, 2, 9999, 4), (8, 2, 2600, 2)],
)
def test_machines_run_side_by_side_where_they_fit(
    cores: int, cpus: int, free: int, expected: int
) -> None:
    """Each CPU has a core of its own, as memory allows."""
    settings = Settings(kvm=False, cpus=cpus, memory=1024)
    assert settings.side_by_side(cores, free) == expected


@pytest.mark.parametrize(
    ("missing", "said"), [("qemu", "no qemu: install"), ("virtme", "no virtme-ng: pip install")]
)
def test_missing_tool_is_one_line(
    missing: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """And the code of a wrong usage."""

    def which(name: str, **_: object) -> str | None:
        return None if name.startswith(missing) else f"/usr/bin/{name}"

    monkeypatch.setattr(shutil, "which", which)
    assert vmtest.main(["image"]) == vmtest.USAGE_ERROR
    error = capsys.readouterr().err
    assert error.startswith(f"vmtest: {said}")
    assert error.count("\n") == 1


def test_one_kernel_gives_its_own_code_and_several_a_verdict() -> None:
    """What the caller sees."""
    assert vmtest.exit_code([result("6.1", code=4)]) == 4
    assert vmtest.exit_code([result("6.1"), NEW]) == 1
    assert vmtest.exit_code([result("6.1"), result("6.2")]) == 0
