"""The list of known kernel bugs: what it does to a run, and how a broken one is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.kernel import parse_full_release
from helpers.known import Issue, load
from selftests.runner import ROOT, Project, Run

ENTRY = """\
[[issue]]
test = "tests/test_scratch.py::test_bug"
symptom = "assert 1 == 2"
what = "counts wrongly"
since = "3.0"
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nonsense", "Expected '=' after a key"),
        ("[[issues]]", "only [[issue]] entries belong there, not ['issues']"),
        (ENTRY.replace("since", "sins"), "issue 1 lacks ['since']"),
        (ENTRY + 'whatever = "x"', "issue 1 has unknown keys ['whatever']"),
        (ENTRY.replace("assert 1 == 2", "("), "issue 1: missing ), unterminated subpattern"),
        (ENTRY.replace('"3.0"', '"new"'), "issue 1: no kernel version in 'new'"),
        (ENTRY + 'fixed = "99.0"', "issue 1: a fix has both: fixed and commit"),
        (ENTRY.replace("test_bug", "test_bag"), "no test is named tests/test_scratch.py::test_bag"),
        (None, "No such file or directory"),
    ],
    ids=["no TOML", "other table", "missing key", "unknown key", "bad pattern", "bad version",
         "fix without commit", "no such test", "no file"],
)  # fmt: skip
def test_broken_list_is_one_line(
    text: str | None, told: str, project: Callable[[str], Project]
) -> None:
    """Before any test runs."""
    made = project("def test_bug(): pass")
    if text is not None:
        (made.path / "list.toml").write_text(text)
    found = made.run("--known-issues=list.toml")
    assert found.code == pytest.ExitCode.USAGE_ERROR
    lines = [line for line in (found.out + found.err).splitlines() if "known-issues file" in line]
    assert len(lines) == 1
    assert told in lines[0]
    assert "Traceback" not in found.out + found.err


def run(project: Callable[[str], Project], body: str, entry: str = ENTRY, *options: str) -> Run:
    """A run of one test with the list `entry`."""
    made = project(f"def test_bug():\n    {body}\n")
    (made.path / "list.toml").write_text(entry)
    return made.run("--known-issues=list.toml", *options)


def test_expected_failure_is_told_as_a_known_bug(project: Callable[[str], Project]) -> None:
    """The run is good."""
    found = run(project, "assert 1 == 2")
    assert (found.counts, found.code) == ({"xfailed": 1}, 0)
    assert "known kernel bug: counts wrongly; no fix is known" in found.out


def test_other_failure_stays_one(project: Callable[[str], Project]) -> None:
    """The symptom decides."""
    assert run(project, "assert 1 == 3").counts == {"failed": 1}


def test_pass_where_a_failure_was_certain_is_a_failure(project: Callable[[str], Project]) -> None:
    """The entry is wrong, or the test is."""
    found = run(project, "pass")
    assert found.counts == {"failed": 1}
    assert "passed, though this kernel should have a known kernel bug" in found.out


def test_pass_is_a_pass_where_the_bug_shows_at_times(project: Callable[[str], Project]) -> None:
    """By ``certain = false``."""
    assert run(project, "pass", ENTRY + "certain = false\n").counts == {"passed": 1}


def test_kernel_with_the_fix_must_pass(project: Callable[[str], Project]) -> None:
    """Nothing is expected of it but that."""
    fixed = ENTRY + 'fixed = "3.1"\ncommit = "0123456789ab"\n'
    assert run(project, "assert 1 == 2", fixed).counts == {"failed": 1}


def test_known_bugs_fail_on_demand(project: Callable[[str], Project]) -> None:
    """--strict-known."""
    assert run(project, "assert 1 == 2", ENTRY, "--strict-known").counts == {"failed": 1}


@pytest.mark.parametrize(
    ("release", "affected"),
    [("6.13.9", False), ("6.14", True), ("6.18.44", True), ("6.18.45-debian", False),
     ("6.19.1", True), ("7.3", False), ("7.4", False)],
)  # fmt: skip
def test_kernels_with_a_bug_are_those_between_cause_and_fix(release: str, affected: bool) -> None:
    """Stable kernels that brought the fix are without it."""
    issue = Issue("t", "s", "w", (6, 14), (7, 3), "c", ((6, 18, 45),))
    assert issue.affects(parse_full_release(release)) is affected


def test_list_of_the_project_can_be_read() -> None:
    """Each entry is about one test of the suite."""
    for issue in load(Path(ROOT / "known_issues.toml")):
        assert (ROOT / issue.test.partition("::")[0]).is_file()
