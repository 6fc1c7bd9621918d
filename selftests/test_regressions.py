"""Every bug of the past has a test that cites its fix, or a reason for having none."""

from __future__ import annotations

import re

import pytest

from selftests import regressions
from selftests.coverage import Docstring, docstrings
from selftests.regressions import BUGS, Bug, Fix

KNOWN = list(docstrings())
CITATION = re.compile(r"\b([0-9a-f]{12}) \((?:\"|')")


@pytest.mark.parametrize(
    ("bug", "fix"), [(bug, fix) for bug in BUGS for fix in bug.fixes], ids=lambda it: str(it[1])
)
def test_fix_is_cited(bug: Bug, fix: Fix) -> None:
    """By a test that would fail without it."""
    assert regressions.carriers(fix, KNOWN) or bug.why


def test_no_fix_is_in_the_table_twice() -> None:
    """Each commit belongs to one bug."""
    commits = [fix.commit for bug in BUGS for fix in bug.fixes if fix.commit]
    assert len(commits) == len(set(commits))


@pytest.mark.parametrize("test", [it for it in KNOWN if CITATION.search(it.text)], ids=str)
def test_citation_has_the_form_of_the_table(test: Docstring) -> None:
    """A commit of the table is cited with the subject that it has there."""
    fixes = {fix.commit: fix for bug in BUGS for fix in bug.fixes}
    for commit in CITATION.findall(test.text):
        if commit in fixes:
            assert fixes[commit].is_cited_in(test.text)


def test_table_is_as_the_docstrings_have_it() -> None:
    """Or it must be made anew: ``python -m selftests.regressions > docs/regressions.md``."""
    assert regressions.TABLE.read_text("utf-8") == regressions.render()
