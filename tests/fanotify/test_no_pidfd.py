"""What fanotify(7) tells where there is no pidfd to give, and to whom it gives none."""

from __future__ import annotations

import errno

import pytest

from helpers import fanotify, features_fanotify, features_process, procfs
from helpers.expect import refused
from helpers.fanotify import METADATA_SIZE, Group
from helpers.gating import needs
from helpers.process import ThreadGroup
from helpers.rights import EVERY_CAPABILITY
from helpers.syscalls_access import drop_capabilities
from helpers.uapi_files import (
    FAN_EPIDFD,
    FAN_NOPIDFD,
    FAN_REPORT_FD_ERROR,
    FAN_REPORT_FID,
    FAN_REPORT_PIDFD,
)

PIDFDS = needs(features_fanotify.PIDFDS)


def _in_place_of_a_pidfd(plain: int, error: int) -> pytest.MarkDecorator:
    told = pytest.param(
        FAN_REPORT_FD_ERROR, -error, id="errno", marks=needs(features_fanotify.ERRORS)
    )
    return pytest.mark.parametrize(("flags", "due"), [pytest.param(0, plain, id="number"), told])


@PIDFDS
@needs(features_process.PID_NAMESPACE)
@_in_place_of_a_pidfd(FAN_NOPIDFD, errno.ESRCH)
def test_listener_below_is_not_told_who_it_was(
    child: ThreadGroup, path: str, flags: int, due: int
) -> None:
    """Who has no number in the reader's pid namespace is pid 0, and has no pidfd.

    FAN_NOPIDFD comes in its place, with FAN_REPORT_FD_ERROR an errno; fanotify(7). Beyond the C
    suite.
    """
    group, reader = Group.listen(path, flags), features_process.pid_1()
    child.leader.call(fanotify.open_and_close, path)
    assert reader.leader.call(Group.take_numbers, group) == (0, due)


@PIDFDS
@needs(features_fanotify.HANDLES)
@_in_place_of_a_pidfd(FAN_EPIDFD, errno.EMFILE)
def test_full_table_brings_no_pidfd(child: ThreadGroup, path: str, flags: int, due: int) -> None:
    """A reader that may not have one descriptor more is told who it was, without a pidfd.

    FAN_EPIDFD comes in its place, with FAN_REPORT_FD_ERROR an errno; fanotify(7). Beyond the C
    suite.
    """
    group, reader = Group.listen(path, flags | FAN_REPORT_FID), child.leader.fork(role="reader")
    child.leader.call(fanotify.open_and_close, path)
    assert reader.leader.call(fanotify.take_in_full_table, group) == (child.pid, due)


@PIDFDS
@pytest.mark.parametrize("room", [0, METADATA_SIZE], ids=["for nothing", "for no record"])
def test_event_that_cannot_be_stored_leaves_no_descriptor(
    child: ThreadGroup, path: str, room: int
) -> None:
    """EFAULT, and neither the pidfd nor the file's descriptor is left behind.

    Beyond the C suite.
    """
    group = Group.listen(path)
    child.leader.call(fanotify.open_and_close, path)
    before = procfs.own_descriptors()
    with refused(errno.EFAULT):
        group.take_to(room)
    assert procfs.own_descriptors() == before


@needs(features_fanotify.UNPRIVILEGED)
def test_pidfds_need_a_privilege(child: ThreadGroup) -> None:
    """Without CAP_SYS_ADMIN one may listen, and gets no pidfds: EPERM.

    From fanotify_init(2). Beyond the C suite.
    """
    child.leader.call(drop_capabilities, EVERY_CAPABILITY)
    child.leader.call(Group.new, FAN_REPORT_FID).close()
    with refused(errno.EPERM):
        child.leader.call(Group.new, FAN_REPORT_FID | FAN_REPORT_PIDFD)
