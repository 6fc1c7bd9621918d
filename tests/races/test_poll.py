"""Polls without a wait, against the end of a task and against exec."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from helpers import features, features_process, race_rules, scenes, scenes_exec
from helpers.gating import needs
from helpers.parameters import OF_SILENT_LEADERS
from helpers.race_observers import Epoll, HangupInfo, Poll
from helpers.races import Race
from helpers.scenes import Scene
from helpers.uapi import PidfdFlag

Racing = Callable[..., Race]
polling = pytest.mark.parametrize("polling", [Poll, Epoll], ids=["poll", "epoll"])
scope = pytest.mark.parametrize("scope", OF_SILENT_LEADERS)
end = pytest.mark.parametrize(
    "scene",
    [
        pytest.param(scenes.end_and_reap, id="reaped by its parent"),
        pytest.param(scenes.reap_by_kernel, id="reaped by the kernel"),
        pytest.param(
            scenes.thread_ends,
            id="a subthread ends",
            marks=needs(features.PIDFD_THREAD, features_process.BARE_THREADS),
        ),
    ],
)


@needs(features_process.POLL_HUP, features_process.SEND_SIGNAL)
@end
@polling
def test_what_a_poll_tells_of_an_end_stays(race: Racing, scene: Scene, polling: type) -> None:
    """IN comes with the end and HUP with the reap; neither goes away again.

    Beyond the C suite.
    """
    race(scene, polling).assert_each(race_rules.events_stay)


@needs(features_process.POLL_HUP, features_process.SEND_SIGNAL, features.INFO_EXIT)
@end
def test_a_hangup_means_that_exit_information_is_there(race: Racing, scene: Scene) -> None:
    """Who has seen HUP asks for exit information and has it.

    Beyond the C suite.
    """
    race(scene, HangupInfo).assert_each(race_rules.hangup_has_exit_information)


@scope
@polling
@pytest.mark.parametrize("leader_exits", [False, True], ids=["leader pauses", "leader exits"])
def test_a_process_whose_subthreads_exec_is_silent(
    race: Racing, scope: PidfdFlag, polling: type, leader_exits: bool
) -> None:
    """However often a subthread takes the leader's struct pid over, no poll tells of an end.

    Beyond the C suite.
    """
    scene = partial(scenes_exec.execs_of_subthreads, leader_exits=leader_exits, flags=scope)
    race(scene, polling).assert_each(race_rules.is_silent)


@needs(features_process.BARE_THREADS)
@scope
@polling
def test_a_leader_that_exits_first_is_silent(race: Racing, scope: PidfdFlag, polling: type) -> None:
    """No poll tells of a leader's end while a subthread lives.

    Beyond the C suite.
    """
    scene = partial(scenes_exec.leader_exits_first, flags=scope)
    race(scene, polling).assert_each(race_rules.is_silent)
