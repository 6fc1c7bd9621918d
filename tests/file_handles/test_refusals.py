"""Where the handle of a pidfd can be opened, and what is no handle of a pidfd."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest

from helpers import features, filesystem, syscalls
from helpers.descriptor import open_file
from helpers.expect import refused
from helpers.features_files import FILE_HANDLE, PIDFS_ROOT
from helpers.features_process import SEND_SIGNAL
from helpers.filesystem import Handle
from helpers.gating import needs
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.rights import EVERY_CAPABILITY
from helpers.syscalls_access import drop_capabilities
from helpers.uapi import (
    AT_FDCWD,
    FD_PIDFS_ROOT,
    PIDFD_SELF_THREAD,
    PIDFD_SELF_THREAD_GROUP,
    PIDFD_SELF_THREAD_GROUP_V6_15,
    CloneFlag,
)
from helpers.uapi_files import FILEID_KERNFS, MAX_HANDLE_SZ

pytestmark = needs(FILE_HANDLE)


@needs(PIDFS_ROOT)
@pytest.mark.parametrize(
    ("flags", "status"),
    [
        (0, os.O_RDWR),
        (os.O_CLOEXEC, os.O_RDWR | os.O_CLOEXEC),
        (os.O_NONBLOCK, os.O_RDWR | os.O_NONBLOCK),
    ],
    ids=["no flags", "O_CLOEXEC", "O_NONBLOCK"],
)
def test_root_of_pidfs_stands_for_a_pidfd(child: ThreadGroup, flags: int, status: int) -> None:
    """``FD_PIDFS_ROOT`` leads to pidfs without a descriptor.

    Port of file_handle.decode_purely_based_on_file_handle (pidfd_file_handle_test.c), which does
    not look at the flags.
    """
    pidfd = child.pidfd()
    opened = filesystem.open_handle(FD_PIDFS_ROOT, filesystem.handle_of(pidfd), flags)
    assert filesystem.identity(opened) == filesystem.identity(pidfd)
    assert opened.status_flags == status


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(-1, id="-1"),
        pytest.param(-errno.EBADF, id="-EBADF"),
        pytest.param(PIDFD_SELF_THREAD, id="PIDFD_SELF_THREAD"),
        pytest.param(PIDFD_SELF_THREAD_GROUP, id="PIDFD_SELF_THREAD_GROUP"),
        pytest.param(PIDFD_SELF_THREAD_GROUP_V6_15, id="PIDFD_SELF_THREAD_GROUP of v6.15"),
        pytest.param(-9999, id="-9999"),
    ],
)
def test_other_numbers_lead_nowhere(child: ThreadGroup, number: int) -> None:
    """Numbers that are no descriptor are refused with EBADF, those for oneself included.

    Port of file_handle.decode_purely_based_on_file_handle (pidfd_file_handle_test.c), which tries
    -EBADF and takes any errno for a refusal.
    """
    handle = filesystem.handle_of(child.pidfd())
    with refused(errno.EBADF):
        filesystem.open_handle(number, handle)


@needs(SEND_SIGNAL)
@needs(PIDFS_ROOT)
def test_root_of_pidfs_is_no_descriptor(child: ThreadGroup) -> None:
    """``FD_PIDFS_ROOT`` means nothing to other calls: EBADF.

    Beyond the C suite.
    """
    with refused(errno.EBADF):
        filesystem.handle_of(FD_PIDFS_ROOT)
    with refused(errno.EBADF):
        syscalls.fstatfs_type(FD_PIDFS_ROOT)
    with refused(errno.EBADF):
        syscalls.pidfd_getfd(FD_PIDFS_ROOT, 0)
    with refused(errno.EBADF):
        syscalls.pidfd_send_signal(FD_PIDFS_ROOT, 0)
    assert child.pidfd().info().pid == child.pid


@pytest.mark.parametrize("anchor", ["working directory", "root directory"])
def test_other_file_systems_need_a_privilege(child: ThreadGroup, anchor: str) -> None:
    """Outside pidfs a caller without CAP_DAC_READ_SEARCH opens nothing but by O_DIRECTORY: EPERM.

    Port of file_handle.decode_purely_based_on_file_handle (pidfd_file_handle_test.c), which tries
    AT_FDCWD and takes any errno for a refusal. On pidfs the same caller needs no privilege.
    """
    pidfd = child.pidfd()
    handle = filesystem.handle_of(pidfd)
    child.leader.call(drop_capabilities, EVERY_CAPABILITY)
    with refused(errno.EPERM):
        if anchor == "working directory":
            child.leader.call(filesystem.open_handle, AT_FDCWD, handle)
        else:
            child.leader.call(filesystem.open_handle, open_file("/"), handle)
    opened = child.leader.call(filesystem.open_handle, pidfd, handle)
    assert filesystem.identity(opened) == filesystem.identity(pidfd)


@needs(features.USER_NAMESPACE)
def test_root_of_a_user_namespace_opens_handles_of_pidfds_alone(
    child: ThreadGroup, spawn: Callable[..., ThreadGroup]
) -> None:
    """Every right in a user namespace of one's own is none over other file systems: EPERM.

    Without O_DIRECTORY, for directories may since v6.11 be opened by who could mount them. Beyond
    the C suite.
    """
    caller, pidfd = spawn(CloneFlag.NEWUSER, "caller"), child.pidfd()
    handle = filesystem.handle_of(pidfd)
    opened = caller.leader.call(filesystem.open_handle, pidfd, handle)
    assert filesystem.identity(opened) == filesystem.identity(pidfd)
    with refused(errno.EPERM):
        caller.leader.call(filesystem.open_handle, open_file("/"), handle)


@pytest.mark.parametrize(
    ("type_", "size", "error"),
    [
        pytest.param(FILEID_KERNFS, 8, errno.ESTALE, id="number that no process has"),
        pytest.param(FILEID_KERNFS, 4, errno.ESTALE, id="half a number"),
        pytest.param(FILEID_KERNFS, 0, errno.EINVAL, id="nothing"),
        pytest.param(1, 8, errno.ESTALE, id="type of another file system"),
        pytest.param(-1, 8, errno.EINVAL, id="negative type"),
        pytest.param(FILEID_KERNFS, MAX_HANDLE_SZ, errno.ESTALE, id="largest size"),
    ],
)
def test_what_is_no_handle_is_refused(anchor: Pidfd, type_: int, size: int, error: int) -> None:
    """A handle that leads to no process is stale, one that is no handle is refused with EINVAL.

    Beyond the C suite.
    """
    with refused(error):
        filesystem.open_handle(anchor, Handle(type_, b"\xff" * size))


def test_number_of_a_process_in_a_handle_of_another_type_is_stale(
    anchor: Pidfd, child: ThreadGroup
) -> None:
    """The type of a handle counts as well as the number in it: ESTALE for that of another kind.

    Beyond the C suite.
    """
    handle = filesystem.handle_of(child.pidfd())
    with refused(errno.ESTALE):
        filesystem.open_handle(anchor, handle._replace(type=1))


def test_half_of_the_number_of_a_process_is_stale(anchor: Pidfd, child: ThreadGroup) -> None:
    """A handle that is cut off leads nowhere, whatever stands behind it in the kernel's memory.

    That is often what makes the number whole again, so it is tried many times. Beyond the C suite.
    """
    whole = filesystem.handle_of(child.pidfd())
    for _ in range(300):
        filesystem.open_handle(anchor, whole).close()
        with refused(errno.ESTALE):
            filesystem.open_handle(anchor, whole._replace(data=whole.data[:4]))
