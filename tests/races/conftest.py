"""Races, with their figures in the report of the test."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from helpers import races
from helpers.race_driver import MakeObserver
from helpers.races import Race
from helpers.scenes import Scene
from helpers.uapi import CloneFlag


@pytest.fixture
def race(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Callable[..., Race]:
    """Play a scene before observers; see `helpers.races.play`."""

    def play(scene: Scene, *observers: MakeObserver, flags: CloneFlag = CloneFlag.NONE) -> Race:
        played = races.play(scene, *observers, flags=flags)
        record_property("race", str(played))
        request.node.add_report_section("call", "race", str(played))
        return played

    return play
