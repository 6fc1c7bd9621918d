"""Once a task is reaped its exit information is all that is left of it."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

from helpers import features, records
from helpers.endings import Ended
from helpers.expect import refused
from helpers.gating import needs
from helpers.observe import How, Watcher
from helpers.uapi import InfoMask, PollEvent

pytestmark = needs(features.INFO_EXIT)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(InfoMask.EXIT, id="asked for exit information"),
        pytest.param(InfoMask.EXIT | InfoMask.CGROUPID, id="asked for the cgroup as well"),
        pytest.param(InfoMask.EXIT | InfoMask.PID | InfoMask.CREDS, id="asked for its ids as well"),
    ],
)
def test_reaped_process_is_told_by_its_exit_alone(reaped: Ended, asked: InfoMask) -> None:
    """After the reap there are exit status and cgroup; ids and credentials are not vouched for.

    Port of pidfd_info.sigkill_reaped and pidfd_info.success_reaped (pidfd_info_test.c), with the
    whole record compared.
    """
    assert reaped.pidfd.info(asked) == records.of_reaped(reaped.outcome)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(InfoMask.NONE, id="asked for nothing"),
        pytest.param(InfoMask.CGROUPID, id="asked for the cgroup"),
        pytest.param(InfoMask.PID | InfoMask.CREDS, id="asked for its ids"),
        pytest.param(InfoMask.COREDUMP, id="asked for its core dump"),
        pytest.param(InfoMask.SUPPORTED_MASK, id="asked for what the kernel can tell"),
    ],
)
def test_reaped_process_is_unknown_to_who_does_not_ask_for_its_exit(
    reaped: Ended, asked: InfoMask
) -> None:
    """Without a request for exit information a reaped process is answered with ESRCH.

    Port of pidfd_info.sigkill_reaped and pidfd_info.success_reaped (pidfd_info_test.c).
    """
    with refused(errno.ESRCH):
        reaped.pidfd.info(asked)


def test_pidfd_of_a_reaped_process_hangs_up(reaped: Ended) -> None:
    """Reaping makes poll add POLLHUP to POLLIN, and it is then that exit information is there.

    Port of pidfd_info.success_reaped_poll (pidfd_info_test.c).
    """
    assert reaped.pidfd.poll() == PollEvent.IN | PollEvent.HUP
    assert reaped.pidfd.info(InfoMask.EXIT) == records.of_reaped(reaped.outcome)


@pytest.mark.parametrize("how", [pytest.param(how, id=how.value) for how in How])
def test_watcher_of_hangups_is_woken_by_the_reap(
    zombie: Ended, watch: Callable[..., Watcher], how: How
) -> None:
    """Who asks for no event sleeps on over a process's end, and is woken when it is reaped.

    Beyond the C suite.
    """
    watcher = watch(zombie.pidfd, how, PollEvent.NONE)
    watcher.assert_silent("the process is a zombie")
    zombie.reap()
    watcher.assert_notified(PollEvent.HUP)
    assert zombie.pidfd.info(InfoMask.EXIT) == records.of_reaped(zombie.outcome)
