"""Options of pytest and of the suite."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import helpers.deadline
from helpers import crash_helper, observe
from selftests.runner import ROOT, Project, Run

MIXED = """
@pytest.mark.parametrize("n", range(6))
def test_one(n, child):
    assert n != 3

@needs(Feature("teleporting", Version(99, 0), lambda: Absent("no")))
def test_gated(): pass
"""


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        (["-x"], {"failed": 1, "passed": 3}),
        (["-k", "one and 2"], {"passed": 1, "deselected": 6}),
        (["-m", "not needs"], {"failed": 1, "passed": 5, "deselected": 1}),
        (["-p", "no:randomly"], {"failed": 1, "passed": 5, "skipped": 1}),
        (["-n", "8"], {"failed": 1, "passed": 5, "skipped": 1}),
        (["--timeout-method=thread"], {"failed": 1, "passed": 5, "skipped": 1}),
        (["tests/test_scratch.py::test_one[2]"], {"passed": 1}),
    ],
    ids=" ".join,
)
def test_options_of_pytest_do_what_they_say(
    options: list[str], counts: dict[str, int], project: Callable[[str], Project]
) -> None:
    """With children, gating and invariants at work."""
    run = project(MIXED).run(*options)
    assert run.counts == counts, run.out
    assert "left over" not in run.out


def test_last_failed_runs_what_failed(project: Callable[[str], Project]) -> None:
    """From the cache of the run before."""
    made = project(MIXED)
    made.run()
    assert made.run("--lf").counts == {"failed": 1}


HANGING = """
def test_before(child): pass

def test_in_python(child, spawn):
    spawn().leader.fork()
    while True: pass

@pytest.mark.timeout(0.2)
def test_in_a_wait(child):
    child.leader.call(time.sleep, 1000)

@pytest.mark.timeout(0.2)
def test_in_a_system_call(child):
    os.waitpid(child.pid, 0)

@pytest.mark.timeout(0.2)
def test_with_a_watcher(child, watch):
    watch(child.pidfd()).assert_notified(PollEvent.IN)

def test_after(child):
    assert process.zygote().strangers(procfs.children()) == {child.pid}
"""


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["", "-n 2"])
def test_hanging_test_is_that_tests_failure(
    options: list[str], project: Callable[[str], Project]
) -> None:
    """The run goes on, and its children are gone."""
    # Without the setup, in which a busy machine may take that long to start the zygote.
    run = project(HANGING).run("--timeout=2", "-o", "timeout_func_only=true", *options)
    assert run.passed == {"test_before", "test_after"}
    assert run.counts == {"failed": 4, "passed": 2}
    seconds = {"test_in_python": "2.0"}
    for test in (
        "test_in_python",
        "test_in_a_wait",
        "test_in_a_system_call",
        "test_with_a_watcher",
    ):
        due = f"Timeout (>{seconds.get(test, '0.2')}s) from pytest-timeout."
        assert run.outcome(test) == f"failed: Failed: {due}"


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--lost-features=x", "--lost-features: invalid choice: 'x' (choose from"),
        ("--quiet-window=-1", "--quiet-window: '-1' is not a number above 0"),
        ("--deadline=abc", "--deadline: 'abc' is not a number above 0"),
        ("--deadline=nan", "--deadline: 'nan' is not a number above 0"),
        ("--deadline=1e9", "--deadline: '1e9' is not a number above 0"),
        ("--model-steps=0", "--model-steps: '0' is not a number of steps, 1 at least"),
    ],
)
def test_wrong_values_are_refused(
    option: str, told: str, project: Callable[[str], Project]
) -> None:
    """One line says what is wrong, before anything runs."""
    run = project("def test_one(): pass").run(option)
    assert run.code == pytest.ExitCode.USAGE_ERROR
    lines = [line for line in (run.out + run.err).splitlines() if told in line]
    assert len(lines) == 1, run
    assert "Traceback" not in run.out + run.err


@pytest.mark.parametrize(("wanted", "limit"), [([], 240.0), (["--timeout=7"], 7.0)])
def test_time_limit_of_a_test_grows_with_the_deadline(
    wanted: list[str], limit: float, project: Callable[[str], Project]
) -> None:
    """Or it would be over before a deadline is; what is asked for stands."""
    made = project(f"def test_one(pytestconfig): assert pytestconfig.option.timeout == {limit}")
    for workers in ([], ["-n", "1"]):
        run = made.run("--deadline=40", "-o", "timeout=120", *wanted, *workers)
        assert run.counts == {"passed": 1}, run.out


@pytest.mark.parametrize("folder", ["races", "model"])
@pytest.mark.parametrize(
    ("asked", "variable", "usual"),
    [
        ([], "", 120),
        (["--deadline=40"], "", 240),
        (["--timeout=0"], "", None),
        (["--timeout=0"], "7", None),
        ([], "7", 7),
        (["--deadline=40"], "7", 7),
        (["--deadline=40"], "0", None),
        (["--timeout=5"], "7", 5),
    ],
)
def test_long_tests_may_last_longer_than_others(
    asked: list[str],
    variable: str,
    usual: float | None,
    folder: str,
    project: Callable[[str], Project],
) -> None:
    """Whoever set the limit, by option or environment; where there is none they have none."""
    made = project(
        f"""
        @pytest.fixture
        def assert_as_specified(): pass

        def test_one(request, assert_as_specified):
            usual, mark = {usual}, request.node.get_closest_marker("timeout")
            assert mark is None if usual is None else usual < mark.args[0] <= usual + 2
        """
    )
    shutil.copy(ROOT / "tests" / folder / "conftest.py", made.path / "tests")
    if variable:
        made.settings["PYTEST_TIMEOUT"] = variable
    run = made.run("--race-time=1", "--model-steps=20", *asked)
    assert run.counts == {"passed": 1}, run.out


def test_limit_in_the_environment_that_is_no_number_is_one_line(
    project: Callable[[str], Project],
) -> None:
    """As of an option."""
    made = project("def test_one(): pass")
    made.settings["PYTEST_TIMEOUT"] = "soon"
    told = made.run()
    assert told.code == pytest.ExitCode.USAGE_ERROR
    assert told.err.strip() == "ERROR: PYTEST_TIMEOUT: 'soon' is no number of seconds"


def test_values_arrive(project: Callable[[str], Project]) -> None:
    """Also the largest."""
    made = project(
        """
        def test_one(child, watch, pytestconfig):
            assert deadline.Deadline().length == 1_000_000
            assert observe._quiet_seconds == 0.003
            watcher = watch(child.pidfd())
            watcher.assert_silent("now", quiet=True)
            child.kill()
            watcher.assert_notified(PollEvent.IN)
            child.leader.channel.await_input(deadline.Deadline(), "the hangup")
        """
    )
    run = made.run("--deadline=1000000", "--quiet-window=3")
    assert run.counts == {"passed": 1}, run.out


def test_defaults_are_in_force_here(pytestconfig: pytest.Config) -> None:
    """A run that names no option has the documented ones."""
    if pytestconfig.getoption("deadline") == helpers.deadline.DEFAULT_SECONDS == 20:
        assert helpers.deadline.Deadline().length == 20
    assert observe._quiet_seconds == pytestconfig.getoption("quiet_window") / 1000


def test_help_tells_of_the_options(project: Callable[[str], Project]) -> None:
    """Each with its default."""
    text = " ".join(project("").run("--help").out.split())
    assert "--lost-features={fail,skip}" in text
    assert "(default: fail)" in text
    assert "--quiet-window=MS" in text
    assert "(default: 20)" in text
    assert "--deadline=SECONDS" in text


def test_directory_for_temporary_files_of_any_name(tmp_path: Path) -> None:
    """A blank stands otherwise in the table of mounts, and not all bytes are UTF-8."""
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/bind_mounts"]
    run = Run.of([*words, f"--basetemp={tmp_path}/one \udcff"], cwd=ROOT)
    assert run.code == 0, run.out + run.err


@pytest.mark.parametrize(
    ("flags", "python", "told"),
    [
        (0, "/usr/bin/python", None),
        (
            os.ST_NOEXEC,
            "/usr/bin/python",
            "/var/tmp, where the program would be, is mounted noexec",
        ),
        (0, "/my files/python", "the path of the interpreter has a blank: '/my files/python'"),
    ],
)
def test_what_keeps_a_program_from_being_handed_dumps_is_named(
    flags: int, python: str, told: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel tells nobody that it could not start it."""
    monkeypatch.setattr(crash_helper, "_own_machine", True)
    monkeypatch.setattr(crash_helper, "CORE_PATTERN", os.devnull)
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=flags))
    monkeypatch.setattr(sys, "executable", python)
    assert crash_helper.obstacle() == told
