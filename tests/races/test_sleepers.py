"""Several that sleep on one pidfd."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from helpers import features_process, race_rules, scenes
from helpers.gating import needs
from helpers.race_observers import Sleeper
from helpers.races import Race
from helpers.scenes import Scene
from helpers.uapi import PollEvent


@needs(features_process.POLL_HUP, features_process.SEND_SIGNAL)
@pytest.mark.parametrize("asked", [PollEvent.IN, PollEvent.NONE], ids=["for IN", "for HUP"])
@pytest.mark.parametrize(
    "scene",
    [
        pytest.param(scenes.end_and_reap, id="reaped by its parent"),
        pytest.param(scenes.reap_by_kernel, id="reaped by the kernel"),
    ],
)
def test_all_who_sleep_are_woken(race: Callable[..., Race], scene: Scene, asked: PollEvent) -> None:
    """Whoever polls is woken, also who falls asleep while the task ends.

    Beyond the C suite, where one polls what may have ended before.
    """
    race(scene, *[partial(Sleeper, asked=asked)] * 4).assert_each(race_rules.is_woken)
