"""Whether an exec closes a pidfd, for every way in which a process comes by one.

What ``FD_CLOEXEC`` says of a descriptor is one thing, what an exec does with it another.
"""

from __future__ import annotations

import pytest

from helpers import features, features_process, features_sockets, procfs, ways
from helpers.features_files import FILE_HANDLE, HANDLE_CLOEXEC, REOPEN
from helpers.features_getfd import PIDFD_GETFD
from helpers.gating import needs
from helpers.process import ThreadGroup
from helpers.ways import Way

pytestmark = needs(features.PIDFD_OPEN)

ALWAYS = [
    pytest.param(ways.by_pid, id="pidfd_open"),
    pytest.param(ways.by_clone, id="clone"),
    pytest.param(ways.by_clone3, id="clone3", marks=needs(features_process.CLONE3)),
    pytest.param(
        ways.by_clone_thread, id="clone, thread", marks=needs(features_process.CLONE_THREAD_PIDFD)
    ),
    pytest.param(ways.copy, id="pidfd_getfd", marks=needs(PIDFD_GETFD)),
    pytest.param(ways.peer, id="SO_PEERPIDFD", marks=needs(features_sockets.PEERPIDFD)),
    pytest.param(ways.sender, id="SCM_PIDFD", marks=needs(features_sockets.PASSPIDFD)),
]
ASKED = [
    pytest.param(ways.duplicate_cloexec, id="F_DUPFD_CLOEXEC"),
    pytest.param(ways.receive_cloexec, id="SCM_RIGHTS, MSG_CMSG_CLOEXEC"),
    pytest.param(ways.by_link_cloexec, id="link in proc, O_CLOEXEC", marks=needs(REOPEN)),
    pytest.param(ways.by_handle_cloexec, id="handle, O_CLOEXEC", marks=needs(FILE_HANDLE)),
]
UNASKED = [
    pytest.param(ways.duplicate, id="F_DUPFD"),
    pytest.param(ways.receive, id="SCM_RIGHTS"),
    pytest.param(ways.by_link, id="link in proc", marks=needs(REOPEN)),
    pytest.param(ways.by_handle, id="handle", marks=needs(FILE_HANDLE, HANDLE_CLOEXEC)),
]


@pytest.mark.parametrize("way", ALWAYS + ASKED)
def test_pidfd_does_not_get_into_what_is_executed(child: ThreadGroup, way: Way) -> None:
    """The calls that make a pidfd of a task set FD_CLOEXEC unasked, all others when asked.

    The new program has none of it. Beyond the C suite.
    """
    closes = child.leader.call(ways.keep_by, way, child.pidfd())
    assert closes, "FD_CLOEXEC is not set"
    assert procfs.open_pidfds(child.pid) == 1
    child.leader.exec()
    assert procfs.open_pidfds(child.pid) == 0


@pytest.mark.parametrize("way", UNASKED)
def test_pidfd_that_is_not_to_be_closed_gets_into_what_is_executed(
    child: ThreadGroup, way: Way
) -> None:
    """Where a descriptor of any other kind would be kept a pidfd is kept as well.

    Beyond the C suite.
    """
    closes = child.leader.call(ways.keep_by, way, child.pidfd())
    assert not closes, "FD_CLOEXEC is set"
    child.leader.exec()
    assert procfs.open_pidfds(child.pid) == 1
