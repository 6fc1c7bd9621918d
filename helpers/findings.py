"""What a run found, told at its end: failures that say the same stand together.

One broken rule can fail many tests, and pytest's own summary cuts each of its lines to the width
of the terminal, which a log file has not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

_NUMBER = re.compile(r"\d{2,}")  # pids, times, addresses


def grouped(reports: Iterable[pytest.TestReport]) -> list[list[pytest.TestReport]]:
    """Failed reports, together where they say the same but for numbers, or are of one test."""
    groups: list[list[pytest.TestReport]] = []
    known: dict[str, list[pytest.TestReport]] = {}
    for report in reports:
        keys = _NUMBER.sub("N", finding(report)), report.nodeid.partition("[")[0]
        group = next((known[key] for key in keys if key in known), None)
        if group is None:
            groups.append(group := [])
        group.append(report)
        known.update({key: group for key in keys if key not in known})
    return sorted(groups, key=len, reverse=True)


def finding(report: pytest.TestReport) -> str:
    """The first line of what a failed test says."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message if crash else report.longrepr).strip()
    first = next(filter(None, map(str.strip, text.splitlines())), "it says nothing")
    return first.removeprefix("AssertionError: ").removeprefix("Failed: ")


@pytest.hookimpl(tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A paragraph for each finding of two failures or more."""
    stats = terminalreporter.stats
    failed = [*stats.get("failed", []), *stats.get("error", [])]
    if len(failed) < 2:
        return
    terminalreporter.section("findings")
    for group in grouped(failed):
        terminalreporter.write_line(finding(group[0]))
        tests = f"{len(group)} tests, the first: " if len(group) > 1 else ""
        terminalreporter.write_line(f"    {tests}{group[0].nodeid}")
