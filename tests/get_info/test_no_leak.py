"""PIDFD_GET_INFO keeps nothing of the task that it was asked about."""

from __future__ import annotations

import pytest

from helpers import features, features_limits, features_namespaces, limits, namespaces
from helpers.deadline import wait_until
from helpers.gating import needs
from helpers.process import spawn
from helpers.uapi import CloneFlag, InfoMask

pytestmark = needs(
    features.GET_INFO, features_namespaces.ID_MAPPING, features_limits.USER_NAMESPACE_LIMIT
)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(InfoMask.NONE, id="asked for nothing"),
        pytest.param(InfoMask.EXIT | InfoMask.COREDUMP, id="asked for its end"),
    ],
)
def test_task_is_not_kept(asked: InfoMask) -> None:
    """A task is freed with its credentials, and so its user namespace can go.

    0b2d71a7c826 ("pidfs: Fix memory leak in pidfd_info()"), v6.17. The maker may
    have one such namespace: another is refused, with ENOSPC, for as long as the first is kept.
    Beyond the C suite.
    """
    maker = spawn(CloneFlag.NEWUSER, "maker")
    namespaces.map_ids(maker.pid, 0)  # who has no number in a namespace makes none below it
    maker.leader.call(limits.allow, limits.USER_NAMESPACES, 1)
    first = maker.leader.fork(CloneFlag.NEWUSER, role="first")
    with first.pidfd() as pidfd:
        assert pidfd.info(asked).pid == first.pid
        assert limits.is_reached(maker, CloneFlag.NEWUSER)
        first.kill()
        first.reap()
        wait_until(
            lambda: not limits.is_reached(maker, CloneFlag.NEWUSER),
            "the user namespace of a reaped task, whose pidfd was asked for its info, to be freed",
        )
