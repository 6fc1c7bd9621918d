"""What tests of several subjects are parametrized by, each choice with what it needs."""

from __future__ import annotations

import pytest

from helpers import features, features_getfd, features_process
from helpers.gating import needs
from helpers.rights import Obstacle
from helpers.uapi import PidfdFlag

SCOPES = [
    pytest.param(PidfdFlag.NONE, id="process"),
    pytest.param(PidfdFlag.THREAD, id="thread", marks=needs(features.PIDFD_THREAD)),
]
"""What the pidfd of a leader stands for."""

OF_SILENT_LEADERS = [
    pytest.param(PidfdFlag.THREAD, id="thread pidfd", marks=needs(features.DELAYED_LEADER)),
    pytest.param(PidfdFlag.NONE, id="process pidfd", marks=needs(features.PIDFD_OPEN)),
]
"""The same where a leader may exit before its subthreads, or be replaced by an exec."""

BOTH_SCOPES = [
    pytest.param(PidfdFlag.NONE, id="process-scoped"),
    pytest.param(PidfdFlag.THREAD, id="thread-scoped"),
]
OF_PIDFS = pytest.mark.parametrize("scope", BOTH_SCOPES)
"""The same where there is pidfs, which is not older than PIDFD_THREAD."""

LEADER_GONE = pytest.mark.parametrize(
    "leader_gone", [False, True], ids=["leader alive", "leader gone"]
)
"""What has become of the leader before the end or the exec of its group."""


def obstacles(*of_dumpability: pytest.MarkDecorator) -> pytest.MarkDecorator:
    """What keeps one process from looking into another, with marks for the first."""
    return pytest.mark.parametrize(
        "obstacle",
        [
            pytest.param(Obstacle.NOT_DUMPABLE, marks=of_dumpability),
            pytest.param(Obstacle.OTHER_USER, marks=needs(features_process.USER_CHANGE)),
            pytest.param(Obstacle.MORE_CAPABLE, marks=needs(features.USER_NAMESPACE)),
        ],
        ids=lambda obstacle: obstacle.value,
    )


UNLIKE_EQUALS = obstacles(needs(features_getfd.UNPRIVILEGED_GETFD))
"""Where it must be shown that an equal of the caller can be looked into."""
