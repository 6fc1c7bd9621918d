"""Every test of the kernel's own suite has one here that carries its rule."""

from __future__ import annotations

import pytest

from selftests import coverage

KNOWN = list(coverage.ports())


@pytest.mark.parametrize(
    ("file", "name"),
    [(file, name) for file, names in coverage.UPSTREAM.items() for name in names.split()],
)
def test_upstream_test_is_carried(file: str, name: str) -> None:
    """By at least one test whose docstring says so."""
    assert coverage.carriers(file, name, KNOWN)


def test_table_is_as_the_docstrings_have_it() -> None:
    """Or it must be made anew: ``python -m selftests.coverage > docs/coverage.md``."""
    assert coverage.TABLE.read_text("utf-8") == coverage.render()
