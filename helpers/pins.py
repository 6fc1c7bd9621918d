"""What must run where: a list of it by kernel and user, kept in the repository and checked.

A test that is skipped, or not there any more, where it used to run is a failure of the run.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from helpers import kernel

RAN, SKIPPED = "ran", "skipped"


def file_name() -> str:
    """Name of the list for the running kernel and the calling user."""
    return f"{kernel.running()}-{'root' if os.geteuid() == 0 else 'user'}.txt"


class Pins:
    """Collects what ran and what was skipped, and compares it with the list."""

    def __init__(self, file: Path, *, write: bool) -> None:
        """Check against `file` at the end of the session, or `write` it anew."""
        self.file, self.write = file, write
        self._ran: Counter[str] = Counter()
        self._skipped: set[str] = set()
        self._differences: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take one report in, from this process or from a worker of xdist."""
        expected = hasattr(report, "wasxfail")  # a known bug may show in one run and not in another
        if report.when == "call" and (expected or not report.skipped):
            self._ran[report.nodeid.partition("[")[0]] += 1
        elif report.skipped and not expected:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            self._skipped.add(f"{report.nodeid}: {reason.removeprefix('Skipped: ')}")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write or compare; a difference makes a green run a failed one."""
        found = {f"{RAN} {count} {name}" for name, count in self._ran.items()}
        found |= {f"{SKIPPED} {line}" for line in self._skipped}
        if self.write:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.write_text("".join(f"{line}\n" for line in sorted(found)), encoding="utf-8")
            return
        self._differences = compare(set(self.file.read_text("utf-8").splitlines()), found)
        if self._differences and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell the differences."""
        if self._differences:
            terminalreporter.section(f"not as pinned in {self.file.name}", red=True)
            for line in self._differences:
                terminalreporter.line(line)
            terminalreporter.line("If this is as it should be: run again with --write-pins.")


def compare(pinned: set[str], found: set[str]) -> list[str]:
    """Lines that tell what is missing and what is new."""
    missing = [f"pinned, not found: {line}" for line in sorted(pinned - found)]
    return missing + [f"found, not pinned: {line}" for line in sorted(found - pinned)]


def register(config: pytest.Config, directory: str, *, write: bool) -> None:
    """Check this run against the list in `directory`; raises ``UsageError`` if there is none."""
    if hasattr(config, "workerinput"):  # the controller of xdist sees all reports
        return
    file = config.rootpath / directory / file_name()
    if not write and not file.is_file():
        raise pytest.UsageError(
            f"no list {file}: make one with --pins={directory} --write-pins, and read it"
        )
    config.pluginmanager.register(Pins(file, write=write), "pidfd-pins")
