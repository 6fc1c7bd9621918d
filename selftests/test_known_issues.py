"""The list of known kernel bugs: what it does to a run, and how it can be wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from helpers import known
from helpers.known import BrokenFile
from selftests.runner import ROOT, Project, Run

Make = Callable[[str], Project]

TESTS = """
def test_bug(): assert "IN" == "NONE"
def test_other(): assert "IN" == "NONE"
def test_fine(): pass
"""

ENTRY = {
    "test": "'tests/test_scratch.py::test_bug'",
    "symptom": "\"'IN' == 'NONE'\"",
    "what": "'poll tells IN'",
    "since": "'3.0'",
}


def listed(**changes: str | None) -> str:
    """One entry; each change is a value as TOML has it, or None for none."""
    lines = [f"{key} = {value}" for key, value in {**ENTRY, **changes}.items() if value]
    return "\n".join(["[[issue]]", *lines, ""])


def collected(patterns: Iterable[str]) -> list[str]:
    """The node ids of the real tests in the files of these names."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    files = sorted(str(path) for pattern in patterns for path in ROOT.glob(pattern))
    found = Run.of([*command, *files], cwd=ROOT)
    assert found.code == 0, found.out + found.err
    return [line for line in found.out.splitlines() if "::" in line]


def run(project: Make, *entries: str, options: tuple[str, ...] = ()) -> Run:
    """Run `TESTS` with these entries."""
    made = project(TESTS)
    (made.path / "known_issues.toml").write_text("\n".join(entries))
    return made.run(*options)


def test_a_known_failure_is_expected_and_no_other(project: Make) -> None:
    """It is XFAIL, with the text of its entry."""
    found = run(project, listed())
    assert found.counts == {"xfailed": 1, "failed": 1, "passed": 1}
    why = found.outcome("test_bug", "XFAIL")
    assert why == "xfail: known kernel bug: poll tells IN; no fix is known"
    assert found.outcome("test_other").startswith("failed: AssertionError")


def test_a_failure_with_another_symptom_is_a_failure(project: Make) -> None:
    """A known bug does not hide an unknown one."""
    found = run(project, listed(symptom="'HUP'"))
    assert found.counts == {"failed": 2, "passed": 1}


def test_strict_lets_known_bugs_fail(project: Make) -> None:
    """--strict-known, on a kernel that is to have none."""
    found = run(project, listed(), options=("--strict-known",))
    assert found.counts == {"failed": 2, "passed": 1}


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"since": "'99.0'"},
        {"since": "'2.0'", "fixed": "'3.0'", "commit": "'0123456789ab (\"fix\"), v3.0'"},
    ],
    ids=["not yet", "no more"],
)
def test_a_bug_that_this_kernel_has_not_is_a_failure(
    elsewhere: dict[str, str], project: Make
) -> None:
    """By its release, stable number included."""
    assert run(project, listed(**elsewhere)).counts == {"failed": 2, "passed": 1}


@pytest.mark.parametrize(("certain", "failed"), [(None, 1), ("true", 1), ("false", 0)])
def test_a_pass_where_a_bug_is_certain_is_a_failure(
    certain: str | None, failed: int, project: Make
) -> None:
    """The entry is wrong, or the test is; a bug that shows at times may stay away."""
    name = "'tests/test_scratch.py::test_fine'"
    found = run(project, listed(test=name, certain=certain), options=("-k", "fine"))
    assert found.counts.get("failed", 0) == failed
    if failed:
        assert "passed, though this kernel should have a known kernel bug" in found.out


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"what": None}, "issue 1 lacks ['what']"),
        ({"when": "'now'"}, "issue 1 has unknown keys ['when']"),
        ({"symptom": "'('"}, "issue 1: missing ), unterminated subpattern at position 0"),
        ({"symptom": "''"}, "issue 1: symptom is '', which is no text"),
        ({"since": "'soon'"}, "issue 1: no kernel version in 'soon'"),
        ({"since": "6.1"}, "issue 1: since is 6.1, which is no text"),
        ({"fixed": "'6.1'"}, "issue 1: a fix has both: fixed and commit"),
        ({"stable": "'6.1.1'"}, "issue 1: stable is '6.1.1', which is no list"),
        ({"stable": "['6.1']"}, "issue 1: stable lists stable releases, such as 6.18.45"),
        ({"certain": "'no'"}, "issue 1: certain is 'no', which is no true or false"),
        ({"since": "3.0.0"}, "Expected newline or end of document after a statement"),
        ({"test": "'tests/test_scratch.py::test_bgu'"}, "no test is named tests/test_scratch.py"),
        ({"test": "'tests/scratch.py::test_bug'"}, "no test is named tests/scratch.py::test_bug"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--strict-known",)], ids=["", "strict"])
def test_a_wrong_list_is_one_clear_error(
    change: dict[str, str | None], told: str, options: tuple[str, ...], project: Make
) -> None:
    """Before anything runs, in one line, with no traceback."""
    found = run(project, listed(**change), options=options)
    assert found.code == pytest.ExitCode.USAGE_ERROR
    lines = (found.out + found.err).strip().splitlines()
    assert len([line for line in lines if line]) == 1, lines
    assert lines[0].startswith("ERROR: known-issues file: ")
    assert told in lines[0]


@pytest.mark.parametrize("chosen", ["tests/test_scratch.py::test_fine", "--last-failed"])
def test_a_run_of_few_tests_does_not_make_entries_stale(chosen: str, project: Make) -> None:
    """The others are there, though they are not collected."""
    assert run(project, listed(), options=(chosen,)).counts["passed"] == 1


def test_a_missing_list_is_an_error(project: Make) -> None:
    """It is named."""
    found = run(project, options=("--known-issues=nowhere.toml",))
    assert found.code == pytest.ExitCode.USAGE_ERROR
    assert "known-issues file: nowhere.toml: [Errno 2] No such file" in found.err


@pytest.mark.parametrize(
    ("release", "affected"),
    [
        ((6, 14, 9), False),
        ((6, 15), True),
        ((6, 18, 44), True),
        ((6, 18, 45), False),
        ((6, 19, 1), True),
        ((7, 3, 3), True),
        ((7, 3, 4), False),
        ((7, 4, 0), False),
    ],
)
def test_stable_releases_have_a_fix_of_their_own(
    release: tuple[int, ...], affected: bool, tmp_path: Path
) -> None:
    """A series without one has the bug until mainline's fix."""
    path = tmp_path / "list.toml"
    fix = {"fixed": "'7.4'", "commit": "'fix'", "stable": "['6.18.45', '7.3.4']"}
    path.write_text(listed(since="'6.15'", **fix))
    (issue,) = known.load(path)
    assert issue.affects(release) == affected


def test_patterns_choose_parameters_where_they_name_them(tmp_path: Path) -> None:
    """Without brackets all are meant."""
    path = tmp_path / "list.toml"
    path.write_text(listed(test="'tests/*/test_x.py::test_*'") + listed(test="'t.py::f[a*]'"))
    all_of_it, some = known.load(path)
    assert all_of_it.concerns("tests/open/test_x.py::test_one[a-b]")
    assert some.concerns("t.py::f[a-b]")
    assert not some.concerns("t.py::f[b-a]")


def test_the_real_list_is_sound() -> None:
    """It can be read, and is about tests that are there."""
    issues = known.load(ROOT / "known_issues.toml")
    assert issues
    assert known.unmatched(issues, ROOT) == []
    # Parameters are known only to who collects the tests.
    named = [issue for issue in issues if "[" in issue.test]
    nodeids = collected({issue.test.partition("::")[0] for issue in named})
    assert [it.test for it in named if not any(map(it.concerns, nodeids))] == []
    with pytest.raises(BrokenFile, match=r"only \[\[issue\]\] entries belong there"):
        known.load(ROOT / "pyproject.toml")
