"""``PIDFD_GET_INFO`` that asks for exit information, against the reap and against exec."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from helpers import features, features_process, race_rules, scenes, scenes_exec
from helpers.gating import needs
from helpers.race_observers import GetInfo
from helpers.races import Race
from helpers.scenes import Scene

pytestmark = needs(features.INFO_EXIT, features_process.SEND_SIGNAL)

of_process, of_thread = GetInfo, partial(GetInfo, of_thread=True)
end = pytest.mark.parametrize(
    ("scene", "asking"),
    [
        pytest.param(scenes.reap_by_parent, of_process, id="reaped by its parent"),
        pytest.param(scenes.reap_by_kernel, of_process, id="reaped by the kernel"),
        pytest.param(
            scenes.thread_ends,
            of_thread,
            id="a subthread ends",
            marks=needs(features_process.BARE_THREADS),
        ),
    ],
)
pauses = partial(scenes_exec.execs_of_subthreads, leader_exits=False)
exits = partial(scenes_exec.execs_of_subthreads, leader_exits=True)
execs = pytest.mark.parametrize(
    "scene",
    [pytest.param(pauses, id="leader pauses"), pytest.param(exits, id="leader exits")],
)
Racing = Callable[..., Race]


@end
def test_asking_for_exit_information_never_fails(race: Racing, scene: Scene, asking: type) -> None:
    """Who asks for exit information is answered at every moment, alive, zombie or reaped.

    "pidfs: don't let PIDFD_GET_INFO miss a reaped task", v7.3.4. Beyond the C suite.
    """
    race(scene, asking).assert_each(race_rules.is_answered)


@end
def test_an_answer_has_identity_or_exit_information(
    race: Racing, scene: Scene, asking: type
) -> None:
    """While a task is being reaped an answer may have both, and never neither.

    "pidfs: don't let PIDFD_GET_INFO miss a reaped task", v7.3.4. Beyond the C suite.
    """
    race(scene, asking).assert_each(race_rules.tells_something)


@end
def test_exit_information_stays_and_identity_does_not_come_back(
    race: Racing, scene: Scene, asking: type
) -> None:
    """What was told of the end is told the same for ever; who is gone is gone.

    Beyond the C suite.
    """
    race(scene, asking).assert_each(race_rules.goes_one_way)


@end
def test_numbers_of_a_task_being_reaped_are_its_own(
    race: Racing, scene: Scene, asking: type
) -> None:
    """An answer has the pid, tgid and ppid of the task, or no identity.

    Beyond the C suite.
    """
    race(scene, asking).assert_each(race_rules.numbers_are_its_own)


@execs
def test_a_process_whose_subthreads_exec_is_always_there(race: Racing, scene: Scene) -> None:
    """However often the leader's struct pid goes over to a subthread, no call fails.

    "pidfs: don't let PIDFD_GET_INFO miss a reaped task", v7.3.4. Beyond the C suite.
    """
    race(scene, of_process).assert_each(race_rules.is_answered)


@execs
def test_a_process_whose_subthreads_exec_keeps_its_numbers(race: Racing, scene: Scene) -> None:
    """The pid is that of the struct pid, whichever thread has just taken it over.

    "pidfs: don't let PIDFD_GET_INFO miss a reaped task", v7.3.4. Beyond the C suite.
    """
    race(scene, of_process).assert_each(race_rules.numbers_are_its_own)


@execs
def test_a_process_whose_subthreads_exec_has_not_ended(race: Racing, scene: Scene) -> None:
    """The exit information of the old leader is never that of the process.

    Beyond the C suite.
    """
    race(scene, of_process).assert_each(race_rules.is_alive)
