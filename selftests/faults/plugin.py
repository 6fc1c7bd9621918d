"""Pytest plugin: run tests against one fault (``-p selftests.faults.plugin --fault=NAME``)."""

from __future__ import annotations

import pytest

from helpers import features, process
from selftests.faults import catalogue


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--fault``."""
    parser.addoption("--fault", choices=sorted(catalogue.FAULTS), required=True)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Break the boundary, after the features were probed on the sound kernel."""
    for item in session.items:
        for mark in item.iter_markers("needs"):
            for feature in mark.args:
                features.verdict(feature)
    name = session.config.getoption("fault")
    process.zygote().call(catalogue.put, name)
    process.spawn()  # the one that was made ahead, of sound parts
    process.end_all()
    catalogue.put(name)
