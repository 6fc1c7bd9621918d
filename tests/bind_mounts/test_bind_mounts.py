"""A pidfd as a file that can be mounted, and opened again.

All is mounted by a child in a mount namespace of its own, cut off from ours in both directions;
that our own namespace stays as it is, is checked after every test of the suite.
"""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers import features, filesystem, syscalls
from helpers.expect import refused
from helpers.features_files import BIND_MOUNT, GENERATION, PIDFS, REOPEN
from helpers.features_process import SEND_SIGNAL
from helpers.gating import needs
from helpers.info import Killed
from helpers.parameters import OF_PIDFS
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.rights import EVERY_CAPABILITY
from helpers.syscalls_access import drop_capabilities
from helpers.thread import Thread
from helpers.uapi import CloneFlag, InfoMask, PidfdFlag
from helpers.uapi_files import PID_FS_MAGIC

pytestmark = needs(PIDFS)


@pytest.fixture
def mounter(spawn: Callable[..., ThreadGroup]) -> Thread:
    """A thread that may mount, where nobody else sees it."""
    leader = spawn(CloneFlag.NEWUSER | CloneFlag.NEWNS, "mounter").leader
    leader.call(filesystem.isolate_mounts)
    return leader


@pytest.fixture
def target(tmp_path: Path) -> str:
    """An empty file to mount over."""
    path = tmp_path / "target"
    path.touch()
    return str(path)


@needs(REOPEN, GENERATION)
@OF_PIDFS
def test_reopened_pidfd_is_the_same_file(child: ThreadGroup, scope: PidfdFlag) -> None:
    """The link in /proc opens to another description of the same inode and generation.

    Port of pidfd_bind_mount.reopen (pidfd_bind_mount.c), which looks at the first descriptor
    twice and never at the reopened one.
    """
    pidfd = child.pidfd(scope)
    reopened = filesystem.reopen(pidfd)
    assert filesystem.identity(reopened) == filesystem.identity(pidfd)
    assert filesystem.generation(reopened) == filesystem.generation(pidfd)
    reopened.status_flags |= PidfdFlag.NONBLOCK
    assert not pidfd.status_flags & PidfdFlag.NONBLOCK


@needs(SEND_SIGNAL)
@needs(REOPEN)
@OF_PIDFS
def test_reopened_pidfd_works(child: ThreadGroup, scope: PidfdFlag) -> None:
    """What the link in /proc opens to takes signals, and tells of the end, as any pidfd.

    Beyond the C suite.
    """
    reopened = filesystem.reopen(child.pidfd(scope))
    reopened.send_signal(signal.SIGKILL)
    child.await_end()
    assert reopened.peek() == Killed(signal.SIGKILL) == child.reap()


@needs(features.USER_NAMESPACE, BIND_MOUNT, GENERATION)
def test_pidfd_can_be_mounted(mounter: Thread, child: ThreadGroup, target: str) -> None:
    """A mount of a pidfd can be cloned and attached over a file, which then is of pidfs.

    Port of pidfd_bind_mount.bind_mount (pidfd_bind_mount.c), which mounts where the mounts of a
    whole system may be shared, and asks nothing of the mount.
    """
    mounter.call(filesystem.bind, child.pidfd(), target)
    assert mounter.call(filesystem.magic_at, target) == PID_FS_MAGIC
    assert filesystem.magic_at(target) != PID_FS_MAGIC


@needs(features.USER_NAMESPACE, BIND_MOUNT, REOPEN, GENERATION)
def test_mounted_pidfd_opens_to_the_same_file(
    mounter: Thread, child: ThreadGroup, target: str
) -> None:
    """The path that a pidfd is mounted over opens to the same inode and generation.

    Port of pidfd_bind_mount.bind_mount_reopen (pidfd_bind_mount.c), which compares the detached
    mount instead of what it has opened.
    """
    pidfd = child.pidfd()
    mounter.call(filesystem.bind, pidfd, target)
    opened = mounter.call(filesystem.open_path, target)
    assert filesystem.identity(opened) == filesystem.identity(pidfd)
    assert filesystem.generation(opened) == filesystem.generation(pidfd)


@needs(SEND_SIGNAL)
@needs(features.USER_NAMESPACE, BIND_MOUNT, REOPEN, features.INFO_EXIT)
def test_mounted_pidfd_works(mounter: Thread, child: ThreadGroup, target: str) -> None:
    """What a mounted pidfd opens to is a pidfd: it signals, polls and tells how it ended.

    Beyond the C suite.
    """
    mounter.call(filesystem.bind, child.pidfd(), target)
    opened = mounter.call(filesystem.open_path, target)
    assert opened.info().pid == child.pid
    opened.send_signal(signal.SIGKILL)
    child.reap()
    assert opened.info(InfoMask.EXIT).exit == Killed(signal.SIGKILL)


@needs(features.USER_NAMESPACE, BIND_MOUNT, REOPEN, features.INFO_EXIT)
def test_mount_keeps_what_is_known_of_a_reaped_process(
    mounter: Thread, child: ThreadGroup, target: str
) -> None:
    """A mount holds the process's file: opened after the reap, it still has the exit information.

    Beyond the C suite. A file handle would be stale by then.
    """
    with child.pidfd() as pidfd:
        mounter.call(filesystem.bind, pidfd, target)
    child.kill()
    child.reap()
    opened = mounter.call(filesystem.open_path, target)
    assert opened.info(InfoMask.EXIT).exit == Killed(signal.SIGKILL)


@needs(SEND_SIGNAL)
@needs(features.USER_NAMESPACE, BIND_MOUNT)
def test_detached_mount_is_the_same_file(mounter: Thread, child: ThreadGroup) -> None:
    """A detached mount of a pidfd is the same file, but no pidfd by itself: EBADF.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    tree = mounter.call(filesystem.clone_mount, pidfd)
    assert filesystem.identity(tree) == filesystem.identity(pidfd)
    with refused(errno.EBADF):
        syscalls.pidfd_send_signal(tree.fileno(), 0)


@needs(features.USER_NAMESPACE, BIND_MOUNT)
def test_mounting_needs_a_privilege(mounter: Thread, child: ThreadGroup) -> None:
    """Without CAP_SYS_ADMIN over the mount namespace a pidfd cannot be mounted: EPERM.

    Beyond the C suite.
    """
    pidfd: Pidfd = child.pidfd()
    mounter.call(drop_capabilities, EVERY_CAPABILITY)
    with refused(errno.EPERM):
        mounter.call(filesystem.clone_mount, pidfd)
