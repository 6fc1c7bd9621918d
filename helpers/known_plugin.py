"""Applies the list of known kernel bugs to the reports of a run."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

from helpers.kernel import parse_full_release
from helpers.known import BrokenFile, Issue, load, unmatched


class KnownIssues:
    """Turns an expected failure into XFAIL, and an unexpected pass into a failure."""

    def __init__(self, issues: list[Issue]) -> None:
        """Apply those of `issues` that the running kernel has."""
        release = parse_full_release(os.uname().release)
        self._here = [issue for issue in issues if issue.affects(release)]

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.CallInfo[None], None]:
        """Judge the outcome of a test that a known bug is about."""
        outcome = yield
        report: pytest.TestReport = outcome.get_result()  # type: ignore[attr-defined]
        if report.when != "call" or report.skipped:
            return
        issues = [issue for issue in self._here if issue.concerns(item.nodeid)]
        if report.failed:
            expected = [issue for issue in issues if issue.explains(report.longreprtext)]
            if expected:
                report.outcome = "skipped"
                report.wasxfail = str(expected[0])
        else:
            certain = [issue for issue in issues if issue.certain]
            if certain:
                report.outcome = "failed"
                report.longrepr = f"passed, though this kernel should have a {certain[0]}"


def register(config: pytest.Config) -> None:
    """Apply ``known_issues.toml``; raises ``UsageError`` if it is broken, or about no test."""
    try:
        issues = load(config.rootpath / config.getoption("known_issues"))
    except BrokenFile as error:
        raise pytest.UsageError(f"known-issues file: {error}") from error
    stale = unmatched(issues, config.rootpath)
    if stale:
        raise pytest.UsageError(f"known-issues file: no test is named {stale[0].test}")
    if config.getoption("strict_known"):
        return
    config.pluginmanager.register(KnownIssues(issues), "pidfd-known-issues")
