"""A subthread executes a new program and takes over the leader's struct pid."""

from __future__ import annotations

from collections.abc import Callable

from helpers import features
from helpers.gating import needs
from helpers.observe import Watcher
from helpers.process import ThreadGroup
from helpers.uapi import PidfdFlag, PollEvent

pytestmark = needs(features.DELAYED_LEADER)


def test_leader_pidfd_stays_silent_when_a_subthread_execs(
    child: ThreadGroup, watch: Callable[..., Watcher]
) -> None:
    """An exec in a subthread hands the leader's struct pid on; it is not an exit.

    Port of pidfd_info.thread_group_exec_thread (pidfd_info_test.c).
    """
    watcher = watch(child.pidfd(PidfdFlag.THREAD))
    child.spawn_thread().exec()
    watcher.assert_silent("the new image runs", quiet=True)
    child.kill()
    watcher.assert_notified(PollEvent.IN)
