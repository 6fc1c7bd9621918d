"""A pytest plugin that tells each result to the machine outside, at once.

A line is written before each test as well, so that the one that ran is known when a guest dies.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import pytest

_RANK = ("passed", "skipped", "known", "failed")
_LONGEST = 6000


class Reporter:
    """Writes one JSON object a line."""

    def __init__(self, path: str) -> None:
        """Write to the terminal or file `path`."""
        self._fd = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_CREAT | os.O_APPEND, 0o644)
        self._reports: list[pytest.TestReport] = []

    def say(self, **record: Any) -> None:
        """Write one record whole."""
        line = json.dumps(record).encode() + b"\n"
        while line:
            line = line[os.write(self._fd, line) :]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Tell of a module that could not be read."""
        if report.failed:
            self.say(error=report.nodeid, text=report.longreprtext[-_LONGEST:])

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Tell how many tests there are."""
        self.say(collected=len(session.items), uptime=time.clock_gettime(time.CLOCK_BOOTTIME))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Tell which test begins."""
        self._reports = []
        self.say(start=nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Gather the phases of a test."""
        self._reports.append(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Tell how the test ended, by the worst of its phases."""
        if not self._reports:
            return
        worst = max(self._reports, key=lambda report: _RANK.index(_outcome(report)))
        self.say(
            test=nodeid,
            outcome=_outcome(worst),
            why=_reason(worst),
            seconds=round(sum(report.duration for report in self._reports), 3),
            text=_text(worst) if worst.failed else "",
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Tell which features the kernel has, before the suite stops what the probes need."""
        for name, since, found in _features():
            self.say(feature=name, since=since, found=found)


def _outcome(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail") and report.skipped:
        return "known"
    return str(report.outcome)


def _reason(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return str(report.wasxfail)
    if report.skipped and isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    if report.failed:
        crash = getattr(report.longrepr, "reprcrash", None)
        text = crash.message if crash else report.longreprtext
        return str(text.strip().splitlines()[0] if text.strip() else "failed")
    return ""


def _text(report: pytest.TestReport) -> str:
    parts = [report.longreprtext, *(f"-- {name} --\n{text}" for name, text in report.sections)]
    return "\n".join(parts)[-_LONGEST:]


def _features() -> list[tuple[str, str, str]]:
    """Every feature that the tests of this run know: name, first version, what its probe found."""
    from helpers import features

    modules = [m for name, m in sys.modules.items() if name.startswith("helpers.features")]
    values = [value for module in modules for value in vars(module).values()]
    known = {value.name: value for value in values if isinstance(value, features.Feature)}
    found = []
    for feature in known.values():
        try:
            verdict = type(features.verdict(feature)).__name__.lower()
        except OSError as error:
            verdict = f"error: {error}"
        found.append((feature.name, str(feature.since), verdict))
    return found


def pytest_configure(config: pytest.Config) -> None:
    """Report to the place that the environment names."""
    path = os.environ.get("VMTEST_RESULTS")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Reporter(path), "vmtest-reporter")
