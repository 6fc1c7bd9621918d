"""``pidfd_getfd(2)`` against the end of a process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from helpers import features_getfd, features_process, race_rules, scenes
from helpers.gating import needs
from helpers.race_observers import GetFd
from helpers.races import Race
from helpers.scenes import Scene


@needs(features_getfd.SIBLING_GETFD, features_process.SEND_SIGNAL)
@pytest.mark.parametrize(
    "scene",
    [
        pytest.param(scenes.end_and_reap, id="reaped by its parent"),
        pytest.param(
            scenes.reap_by_kernel, id="reaped by the kernel", marks=needs(features_process.POLL_HUP)
        ),
    ],
)
def test_a_process_that_ends_gives_its_file_or_is_not_found(
    race: Callable[..., Race], scene: Scene
) -> None:
    """A copy is of the right file until ESRCH; never EBADF, though the files are closed first.

    Nor EPERM, but from Yama, which refuses a process that is being reaped.

    Beyond the C suite, whose no_strange_EBADF looks at a zombie alone.
    """
    refusals = features_getfd.refusals_of_the_ended()
    race(scene, GetFd).assert_each(race_rules.gives_its_file_or(refusals))
