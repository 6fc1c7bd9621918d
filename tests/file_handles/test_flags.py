"""The flags that the two calls of file handles take for a pidfd, and those that they refuse."""

from __future__ import annotations

import errno
import os
import sys

import pytest

from helpers import filesystem
from helpers.expect import refused
from helpers.features_files import FILE_HANDLE, GENERATION, HANDLE_THREAD
from helpers.gating import needs
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.uapi import PidfdFlag
from helpers.uapi_files import FILEID_KERNFS, HandleFlag

pytestmark = needs(FILE_HANDLE)

INVALID = {
    **{
        name: getattr(os, name)
        for name in (
            "O_ASYNC", "O_CREAT", "O_NOCTTY", "O_TRUNC", "O_APPEND", "O_DSYNC", "O_DIRECT",
            "O_DIRECTORY", "O_NOFOLLOW", "O_NOATIME", "O_PATH",
        )
    },
    "__O_SYNC": os.O_SYNC & ~os.O_DSYNC,
    "__O_TMPFILE": os.O_TMPFILE & ~os.O_DIRECTORY,
    **{f"bit {bit}": 1 << bit for bit in range(25, 32)},
}  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        pytest.param(os.O_RDONLY, os.O_RDWR, id="O_RDONLY"),
        pytest.param(os.O_RDWR, os.O_RDWR, id="O_RDWR"),
        pytest.param(os.O_WRONLY, os.O_WRONLY | os.O_RDWR, id="O_WRONLY"),
        pytest.param(os.O_NONBLOCK, os.O_RDWR | os.O_NONBLOCK, id="O_NONBLOCK"),
        pytest.param(os.O_CLOEXEC, os.O_RDWR | os.O_CLOEXEC, id="O_CLOEXEC"),
        pytest.param(
            os.O_EXCL, os.O_RDWR | PidfdFlag.THREAD, id="O_EXCL", marks=needs(HANDLE_THREAD)
        ),
        pytest.param(
            os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_EXCL,
            os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | PidfdFlag.THREAD,
            id="all at once",
            marks=needs(HANDLE_THREAD),
        ),
    ],
)
def test_handle_is_opened_with_the_flags_asked_for(
    anchor: Pidfd, child: ThreadGroup, flags: int, status: int
) -> None:
    """A pidfd opened by its handle has the flags asked for, and is always open for both ways.

    Port of file_handle.open_by_handle_at_valid_flags (pidfd_file_handle_test.c), which asks for
    all at once and looks for one. O_WRONLY is added to O_RDWR, and shows as both bits.
    """
    pidfd = child.pidfd()
    opened = filesystem.open_handle(anchor, filesystem.handle_of(pidfd), flags)
    assert opened.status_flags == status
    assert filesystem.identity(opened) == filesystem.identity(pidfd)


@pytest.mark.parametrize("flag", INVALID.values(), ids=INVALID)
def test_every_other_open_flag_is_invalid(anchor: Pidfd, child: ThreadGroup, flag: int) -> None:
    """Every other flag is refused with EINVAL, O_TRUNC among them, which marks autokill inside.

    Port of file_handle.open_by_handle_at_invalid_flags (pidfd_file_handle_test.c), which takes
    any errno for a refusal. The same handle opens without the flag.
    """
    handle = filesystem.handle_of(child.pidfd())
    with refused(errno.EINVAL):
        filesystem.open_handle(anchor, handle, flag)
    filesystem.open_handle(anchor, handle)


@pytest.mark.parametrize("flags", [HandleFlag.EMPTY_PATH, HandleFlag.NONE], ids=str)
def test_nothing_is_below_a_pidfd(child: ThreadGroup, flags: HandleFlag) -> None:
    """A name looked up below a pidfd is refused with ENOTDIR.

    Port of file_handle.lookup_must_fail (pidfd_file_handle_test.c).
    """
    with refused(errno.ENOTDIR):
        filesystem.handle_of(child.pidfd(), flags, "a name")


def test_empty_name_must_be_allowed(child: ThreadGroup) -> None:
    """Without AT_EMPTY_PATH the empty name is refused with ENOENT.

    Beyond the C suite.
    """
    with refused(errno.ENOENT):
        filesystem.handle_of(child.pidfd(), HandleFlag.NONE)


def test_connectable_handles_are_refused(child: ThreadGroup) -> None:
    """AT_HANDLE_CONNECTABLE does not go with AT_EMPTY_PATH, which pidfds need: EINVAL.

    Port of file_handle.invalid_name_to_handle_at_flags (pidfd_file_handle_test.c), which takes
    any errno for a refusal.
    """
    with refused(errno.EINVAL):
        filesystem.handle_of(child.pidfd(), HandleFlag.EMPTY_PATH | HandleFlag.CONNECTABLE)


def test_handle_to_compare_by_can_be_opened(anchor: Pidfd, child: ThreadGroup) -> None:
    """AT_HANDLE_FID, which asks for less, gives the very handle that can be opened.

    Port of file_handle.valid_name_to_handle_at_flags (pidfd_file_handle_test.c).
    """
    pidfd = child.pidfd()
    handle = filesystem.handle_of(pidfd, HandleFlag.EMPTY_PATH | HandleFlag.FID)
    assert handle == filesystem.handle_of(pidfd)
    opened = filesystem.open_handle(anchor, handle)
    assert filesystem.identity(opened) == filesystem.identity(pidfd)


@needs(GENERATION)
def test_handle_is_the_inode_number(child: ThreadGroup) -> None:
    """The handle is the process's 64-bit number: generation and inode number in one.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    number = filesystem.generation(pidfd) << 32 | filesystem.identity(pidfd).inode
    handle = filesystem.handle_of(pidfd)
    assert handle.type == FILEID_KERNFS
    assert handle.data == number.to_bytes(8, sys.byteorder)


@pytest.mark.parametrize("room", [0, 4, 7])
def test_room_that_is_too_small_is_answered_with_the_size(child: ThreadGroup, room: int) -> None:
    """A caller with too little room gets EOVERFLOW, and learns how much the handle needs.

    Beyond the C suite.
    """
    assert filesystem.handle_size(child.pidfd(), room) == 8
