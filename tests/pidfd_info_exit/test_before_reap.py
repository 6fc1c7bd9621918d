"""Until a task is reaped it is told who it is, and not how it ended."""

from __future__ import annotations

import pytest

from helpers import features, records
from helpers.endings import Ended
from helpers.gating import needs
from helpers.process import ThreadGroup
from helpers.uapi import InfoMask, PidfdFlag, PollEvent

pytestmark = needs(features.INFO_EXIT)

ASKED = pytest.mark.parametrize(
    "asked",
    [
        pytest.param(InfoMask.NONE, id="asked for nothing"),
        pytest.param(InfoMask.CGROUPID, id="asked for the cgroup"),
        pytest.param(InfoMask.EXIT, id="asked for exit information"),
        pytest.param(InfoMask.CGROUPID | InfoMask.EXIT, id="asked for both"),
    ],
)


@ASKED
def test_running_process_has_no_exit_information(
    child: ThreadGroup, scope: PidfdFlag, asked: InfoMask
) -> None:
    """Exit information is not given of a process that runs, even if it is asked for.

    Beyond the C suite.
    """
    assert child.pidfd(scope).info(asked) == records.of_task(child.leader)


@ASKED
def test_zombie_is_still_told_by_its_ids_alone(zombie: Ended, asked: InfoMask) -> None:
    """A zombie has its ids, credentials and cgroup, and no exit information before the reap.

    Port of pidfd_info.sigkill_exit and pidfd_info.success_exit (pidfd_info_test.c), where the
    child may be alive when it is asked: nothing waits for its end.
    """
    assert zombie.pidfd.info(asked) == records.of_task(zombie.group.leader)


def test_zombie_polls_readable_and_not_hung_up(zombie: Ended) -> None:
    """The end of a process makes its pidfd readable; it hangs up when the process is reaped.

    Beyond the C suite.
    """
    assert zombie.pidfd.poll() == PollEvent.IN


def test_looking_at_an_end_is_not_reaping_it(zombie: Ended) -> None:
    """Looking with WNOWAIT tells the parent how the process ended, PIDFD_GET_INFO nobody.

    Beyond the C suite.
    """
    assert zombie.pidfd.peek() == zombie.outcome
    assert zombie.pidfd.info(InfoMask.EXIT) == records.of_task(zombie.group.leader)
