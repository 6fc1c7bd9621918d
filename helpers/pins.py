"""What must run where: lists of it, kept in the repository and checked.

``tests.txt`` has every test with the number of its cases; a list a kernel and user has what is
skipped there, by reason. Everything else must run. A test that is skipped, or not there any more,
where it used to run is a failure of the run.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from helpers import kernel

TESTS = "tests.txt"
Skips = Counter[tuple[str, str]]
"""Reason and test function, to the number of cases skipped."""


def file_name(version: kernel.Version, *, root: bool) -> str:
    """Name of the list for a kernel and a user."""
    return f"{version}-{'root' if root else 'user'}.txt"


def function(nodeid: str) -> str:
    """The test without its parameters."""
    return nodeid.partition("[")[0]


def render(skips: Skips) -> str:
    """A list as text: each reason, and below it the tests that are skipped for it."""
    lines = []
    for reason in sorted({reason for reason, _ in skips}):
        lines.append(reason)
        lines += [f"  {n} {test}" for (why, test), n in sorted(skips.items()) if why == reason]
    return "".join(f"{line}\n" for line in lines)


def parse(text: str) -> Skips:
    """What `render` wrote."""
    skips: Skips = Counter()
    reason = ""
    for line in text.splitlines():
        if line.startswith("  "):
            number, _, test = line.strip().partition(" ")
            skips[reason, test] = int(number)
        else:
            reason = line
    return skips


def differences(pinned: Skips, found: Skips, *, seen: set[str] | None = None) -> list[str]:
    """What is skipped otherwise than pinned, a line each.

    `seen` are the tests that this run was about where it was not about all: of them some cases
    may be missing, and none may be skipped beyond those pinned.
    """
    lines = []
    for key in sorted(set(pinned) | set(found)):
        reason, test = key
        if seen is not None and (test not in seen or found[key] <= pinned[key]):
            continue
        if pinned[key] != found[key]:
            lines.append(f"{test}: {found[key]} skipped, {pinned[key]} pinned: {reason}")
    return lines


def counted(pinned: str, found: Counter[str]) -> list[str]:
    """How the tests that there are differ from the text of ``tests.txt``, a line each."""
    due = {test: int(n) for n, _, test in (line.partition(" ") for line in pinned.splitlines())}
    return [
        f"{test}: {found[test]} cases, {due.get(test, 0)} pinned"
        for test in sorted({*due, *found})
        if found[test] != due.get(test, 0)
    ]


class Pins:
    """Collects what ran and what was skipped, and compares it with the lists."""

    def __init__(self, directory: Path, *, write: bool, whole: bool) -> None:
        """Check against the lists in `directory`, or `write` them anew, when the session ends."""
        self.file = directory / file_name(kernel.running(), root=os.geteuid() == 0)
        self.write, self.whole = write, whole
        self._cases: set[str] = set()
        self._skips: Skips = Counter()
        self._differences: list[str] = []
        self._unwritten = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take one report in, from this process or from a worker of xdist."""
        self._cases.add(report.nodeid)
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            self._skips[reason.removeprefix("Skipped: "), function(report.nodeid)] += 1

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write or compare; a difference makes a green run a failed one."""
        tests = self.file.with_name(TESTS)
        found = Counter(map(function, self._cases))
        to_the_end = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if not to_the_end or session.shouldstop or session.shouldfail:
            self._unwritten = self.write  # else a part would stand for the whole
        elif self.write:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.write_text(render(self._skips), encoding="utf-8")
            lines = (f"{number} {test}\n" for test, number in sorted(found.items()))
            tests.write_text("".join(lines), encoding="utf-8")
        else:
            pinned = parse(self.file.read_text("utf-8"))
            seen = None if self.whole else set(found)
            self._differences = differences(pinned, self._skips, seen=seen)
            if self.whole:
                self._differences += counted(tests.read_text("utf-8"), found)
        if self._differences and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell the differences, or that no list was written."""
        if self._unwritten:
            terminalreporter.line(f"{self.file} was not written: the run did not come to its end")
        if self._differences:
            terminalreporter.section(f"not as pinned in {self.file.name}", red=True)
            for line in self._differences:
                terminalreporter.line(line)
            terminalreporter.line("If this is as it should be: run again with --write-pins.")


def _is_whole(config: pytest.Config) -> bool:
    """Whether the run is about all tests, none of them deselected."""
    options = ("keyword", "markexpr", "lf", "deselect", "ignore", "ignore_glob", "stepwise")
    if any(config.getoption(option, None) for option in options):
        return False
    top = config.rootpath.resolve()
    everything = {top, *(top / path for path in config.getini("testpaths"))}
    return any(
        (config.invocation_params.dir / name).resolve() in everything for name in config.args
    )


def register(config: pytest.Config, directory: str, *, write: bool) -> None:
    """Check this run against the lists in `directory`; raises ``UsageError`` if there are none."""
    if hasattr(config, "workerinput"):  # the controller of xdist sees all reports
        return
    if config.option.collectonly:
        return
    whole = _is_whole(config)
    pins = Pins(config.rootpath / directory, write=write, whole=whole)
    missing = [file for file in (pins.file, pins.file.with_name(TESTS)) if not file.is_file()]
    if missing and not write:
        raise pytest.UsageError(
            f"no list {missing[0]}: make one with --pins={directory} --write-pins, and read it"
        )
    if write and not whole:
        raise pytest.UsageError("--write-pins needs a run of all tests, without a selection")
    config.pluginmanager.register(pins, "pidfd-pins")


def of_cases(cases: Iterable[tuple[str, str]]) -> Skips:
    """Skips by the names of cases and their reasons."""
    return Counter((reason, function(name)) for name, reason in cases)
