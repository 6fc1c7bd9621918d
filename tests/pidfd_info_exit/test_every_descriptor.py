"""Exit information belongs to the task: every descriptor of it tells the same, while it is open."""

from __future__ import annotations

import errno
from collections.abc import Callable

from helpers import features, records
from helpers.endings import Ended
from helpers.expect import refused
from helpers.gating import needs
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.uapi import InfoMask, PidfdFlag

pytestmark = needs(features.INFO_EXIT)


def test_duplicate_tells_the_exit(zombie: Ended) -> None:
    """A duplicate of a pidfd gives exit information, when the pidfd is closed as well.

    Beyond the C suite.
    """
    duplicate = zombie.pidfd.dup()
    zombie.pidfd.close()
    zombie.reap()
    assert duplicate.info(InfoMask.EXIT) == records.of_reaped(zombie.outcome)


def test_descriptor_received_before_the_reap_tells_the_exit(
    child: ThreadGroup, zombie: Ended
) -> None:
    """A pidfd that a unix socket carried to another process gives exit information there.

    Beyond the C suite.
    """
    received = child.leader.call(Pidfd.dup, zombie.pidfd)
    zombie.pidfd.close()
    zombie.reap()
    assert received.info(InfoMask.EXIT) == records.of_reaped(zombie.outcome)


def test_descriptor_received_after_the_reap_tells_the_exit(
    child: ThreadGroup, reaped: Ended
) -> None:
    """A pidfd of a reaped process can still be sent, and gives the receiver exit information.

    Beyond the C suite.
    """
    answer = child.leader.call(Pidfd.info, reaped.pidfd, InfoMask.EXIT)
    assert answer == records.of_reaped(reaped.outcome)


def test_descriptor_opened_on_a_zombie_tells_the_exit(zombie: Ended, scope: PidfdFlag) -> None:
    """A pidfd that is opened when the process has ended already gives exit information.

    Beyond the C suite.
    """
    zombie.pidfd.close()
    late = zombie.group.pidfd(scope)
    assert late.info(InfoMask.EXIT) == records.of_task(zombie.group.leader)
    zombie.reap()
    assert late.info(InfoMask.EXIT) == records.of_reaped(zombie.outcome)


def test_process_and_thread_scoped_descriptors_agree(zombie: Ended) -> None:
    """The leader's pidfds of both scopes tell the same exit, opened before and after it.

    Beyond the C suite.
    """
    pidfds = [zombie.pidfd, *map(zombie.group.pidfd, (PidfdFlag.NONE, PidfdFlag.THREAD))]
    zombie.reap()
    due = records.of_reaped(zombie.outcome)
    assert [pidfd.info(InfoMask.EXIT) for pidfd in pidfds] == [due] * 3


def test_exit_is_told_as_long_as_the_descriptor_is_open(
    reaped: Ended, spawn: Callable[..., ThreadGroup]
) -> None:
    """Exit information is not used up by asking, nor lost when other processes come and go.

    Beyond the C suite.
    """
    due = records.of_reaped(reaped.outcome)
    for _ in range(3):
        assert reaped.pidfd.info(InfoMask.EXIT) == due
        with refused(errno.ESRCH):
            reaped.pidfd.info()
        other = spawn(role="other")
        other.kill()
        other.reap()
    assert reaped.pidfd.info(InfoMask.EXIT) == due


def test_reaped_process_cannot_be_opened_again(reaped: Ended) -> None:
    """An open pidfd keeps the exit information, not the process: its pid is free again.

    Beyond the C suite.
    """
    assert reaped.pidfd.info(InfoMask.EXIT) == records.of_reaped(reaped.outcome)
    with refused(errno.ESRCH):
        reaped.group.pidfd()
