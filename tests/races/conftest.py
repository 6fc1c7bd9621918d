"""Races, with their figures in the report of the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers import races
from helpers.race_driver import MakeObserver
from helpers.races import Race
from helpers.scenes import Scene


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let a long race have the time that it needs."""
    here = Path(__file__).parent
    for item in items:
        usual = item.config.getoption("timeout")  # 0 for none: see `_time_limit` of conftest.py
        if usual and here in item.path.parents:
            item.add_marker(pytest.mark.timeout(usual + races.seconds()))


@pytest.fixture
def race(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Callable[..., Race]:
    """Play a scene before observers; see `helpers.races.play`."""

    def play(scene: Scene, *observers: MakeObserver, **how: Any) -> Race:
        played = races.play(scene, *observers, **how)
        record_property("race", str(played))
        request.node.add_report_section("call", "race", str(played))
        return played

    return play
