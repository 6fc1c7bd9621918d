"""A pytest plugin that tells each result to the machine outside, at once.

A line is written before each test as well, so that the one that ran is known when a guest dies.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
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
        self._collected = 0
        self._workers_run = False
        self._reports: dict[str, list[pytest.TestReport]] = {}

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
        self._tell_collected(len(session.items))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Tell how many tests there are, as the first of pytest-xdist's workers does."""
        self._workers_run = True
        if not self._collected:
            self._tell_collected(len(ids))

    def _tell_collected(self, count: int) -> None:
        self._collected = count
        self.say(collected=count, uptime=time.clock_gettime(time.CLOCK_BOOTTIME))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Tell which test begins."""
        self._reports[nodeid] = []
        self.say(start=nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Gather the phases of a test."""
        self._reports.setdefault(report.nodeid, []).append(report)
        if report.when not in ("setup", "call", "teardown"):  # the worker that ran it has crashed
            self.pytest_runtest_logfinish(report.nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Tell how the test ended, by the worst of its phases."""
        reports = self._reports.pop(nodeid, [])
        if not reports:
            return
        worst = max(reports, key=lambda report: _RANK.index(_outcome(report)))
        self.say(
            test=nodeid,
            outcome=_outcome(worst),
            why=_reason(worst),
            seconds=round(sum(report.duration for report in reports), 3),
            text=_text(worst) if worst.failed else "",
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Tell which features the kernel has, before the suite stops what the probes need."""
        if self._workers_run:
            _import_features()
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


def _import_features() -> None:
    """Know what the tests know that other processes run."""
    import helpers

    for module in pkgutil.iter_modules(helpers.__path__):
        if module.name.startswith("features"):
            importlib.import_module(f"helpers.{module.name}")


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
