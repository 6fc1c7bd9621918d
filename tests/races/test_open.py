"""``pidfd_open(2)`` against the end of a task and the reuse of its pid."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

from helpers import features_files, features_process, race_rules, scenes
from helpers.expect import moved
from helpers.gating import needs
from helpers.race_observers import ANOTHER_TASK, Open
from helpers.races import Race
from helpers.scenes import Scene

pytestmark = needs(features_files.PIDFS, features_process.SEND_SIGNAL)

GONE = moved(errno.ESRCH, old=errno.EINVAL, since=(6, 16))


@pytest.mark.parametrize(
    "scene",
    [
        pytest.param(scenes.end_and_reap, id="reaped by its parent"),
        pytest.param(scenes.reap_by_kernel, id="reaped by the kernel"),
    ],
)
def test_a_number_opens_its_process_or_none(race: Callable[..., Race], scene: Scene) -> None:
    """A process is opened until it is reaped, and never again, with ESRCH for the only error.

    Before v6.16 EINVAL as well, for a number that was found and lost its task. Beyond the C suite.
    """
    race(scene, Open).assert_each(race_rules.opens_it_or(GONE))


@needs(features_process.LAST_PID)
def test_a_reused_number_opens_one_process_after_the_other(race: Callable[..., Race]) -> None:
    """While a pid goes over to another process it opens the old one, none, and then the new one.

    Beyond the C suite.
    """
    rule = race_rules.opens_it_or(GONE, ANOTHER_TASK)
    race(scenes.pid_is_reused, Open, flags=features_process.alone()).assert_each(rule)
