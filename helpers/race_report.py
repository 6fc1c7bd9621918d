"""The figures of a hunt, at the end of its report."""

from __future__ import annotations

import pytest

from helpers import races


class Figures:
    """Lists what every race saw, those of passed and of expected failures as well."""

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print them, by name."""
        reports = [
            report
            for found in terminalreporter.stats.values()
            for report in found
            if isinstance(report, pytest.TestReport) and report.when == "call"
        ]
        told = [
            (report.nodeid, text)
            for report in reports
            for key, text in report.user_properties
            if key == "race"
        ]
        if told:
            terminalreporter.section("races")
        for nodeid, text in sorted(told):
            terminalreporter.line(f"{nodeid}: {text}")


def register(config: pytest.Config) -> None:
    """Apply ``--race-time`` and ``--race-seed``; a longer race than usual is a hunt."""
    seconds = config.getoption("race_time")
    races.set_dose(seconds, config.getoption("race_seed"))
    if seconds > races.DEFAULT_SECONDS:
        config.pluginmanager.register(Figures(), "pidfd-races")
