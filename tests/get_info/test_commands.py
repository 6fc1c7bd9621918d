"""Requests that are not PIDFD_GET_INFO, and descriptors that are not pidfds."""

from __future__ import annotations

import errno

import pytest

from helpers import features, features_info, features_targets, raw_info, targets
from helpers.expect import refused
from helpers.gating import needs
from helpers.process import ThreadGroup
from helpers.targets import NotAPidfd

pytestmark = needs(features.GET_INFO)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(features_info.OTHER_MAGIC, id="another magic number"),
        pytest.param(features_info.NEXT_NUMBER, id="the next number"),
        pytest.param(features_info.HIGHEST_NUMBER, id="the highest number"),
        pytest.param(features_info.NUMBER_0, id="number 0"),
        pytest.param(features_info.NAMESPACE_WITH_SIZE, id="a namespace's number, with a size"),
        pytest.param(
            features_info.READ_ONLY,
            id="another direction",
            marks=needs(features_info.DIRECTION_CHECKED),
        ),
    ],
)
@needs(features_info.MAGIC_CHECKED)
def test_request_that_a_pidfd_does_not_know_is_refused(child: ThreadGroup, command: int) -> None:
    """Every part of the request's number counts, but for the size: ENOTTY.

    8ce352818820 ("pidfs: check for valid ioctl commands") and 091ee63e36e8 ("pidfs: improve ioctl
    handling"), v6.14. Beyond the C suite.
    """
    with refused(errno.ENOTTY):
        raw_info.ask(child.pidfd(), command=command)


@pytest.mark.parametrize(
    "kind", features_targets.kinds((NotAPidfd.NAMESPACE, features_info.NAMESPACES_CHECK))
)
def test_other_descriptor_does_not_know_the_request(child: ThreadGroup, kind: NotAPidfd) -> None:
    """Other kinds of descriptors refuse PIDFD_GET_INFO, and none takes it for one of its own.

    Beyond the C suite. A mount namespace took it for NS_MNT_GET_NEXT, which has the same number,
    until v6.18.
    """
    due = {NotAPidfd.EPOLL: errno.EINVAL, **dict.fromkeys(targets.ONLY_PATHS, errno.EBADF)}
    with refused(due.get(kind, errno.ENOTTY)):
        child.leader.call(raw_info.ask, targets.make(kind))
