"""A pidfd's file cannot be changed, and cannot be executed."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest

from helpers import filesystem
from helpers.descriptor import Descriptor
from helpers.expect import moved, refused
from helpers.features_files import OTHER_OWNER, OWNERS, PIDFS, REOPEN, SAME_OWNER
from helpers.gating import needs
from helpers.parameters import OF_PIDFS
from helpers.process import ThreadGroup
from helpers.uapi import PidfdFlag

pytestmark = needs(PIDFS)


def _chown(fd: int) -> None:
    os.fchown(fd, *OTHER_OWNER)


def _chown_to_the_same(fd: int) -> None:
    os.fchown(fd, *SAME_OWNER)


def _chmod(fd: int) -> None:
    os.fchmod(fd, 0o777)


def _chmod_to_the_same(fd: int) -> None:
    os.fchmod(fd, 0o700)


def _utime(fd: int) -> None:
    os.utime(fd, (1, 1))


@OF_PIDFS
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_chown, id="owner", marks=needs(OWNERS)),
        pytest.param(_chown_to_the_same, id="owner, to the same", marks=needs(OWNERS)),
        pytest.param(_chmod, id="mode"),
        pytest.param(_chmod_to_the_same, id="mode, to the same"),
        pytest.param(_utime, id="times"),
    ],
)
def test_attributes_cannot_be_changed(
    child: ThreadGroup, scope: PidfdFlag, change: Callable[[int], None]
) -> None:
    """Owner, mode and times are refused with EOPNOTSUPP, and stay as they are.

    Port of pidfs_setattr.no_chown and no_chmod (pidfd_setattr_test.c), which do not look at the
    attributes afterwards, and meet a process that may be a zombie. Until v6.17 the inode was
    immutable, which gives EPERM before pidfs is asked.
    """
    pidfd = child.pidfd(scope)
    before = os.fstat(pidfd.fileno())
    with refused(*moved(errno.EOPNOTSUPP, old=errno.EPERM, since=(6, 17))):
        change(pidfd.fileno())
    assert os.fstat(pidfd.fileno()) == before


@OF_PIDFS
@pytest.mark.parametrize(
    "attempt",
    [
        pytest.param(filesystem.execute, id="execveat with AT_EMPTY_PATH"),
        pytest.param(filesystem.execute_link, id="the link in proc"),
    ],
)
def test_pidfd_cannot_be_executed(
    child: ThreadGroup, scope: PidfdFlag, attempt: Callable[[Descriptor], None]
) -> None:
    """An exec of a pidfd is refused with EACCES, and the caller goes on.

    1a1ad73aa1a6 ("pidfs: raise SB_I_NODEV and SB_I_NOEXEC"), v6.17 and v6.12.43. Port of
    pidfs_setattr.no_exec (pidfd_setattr_test.c), which meets a process that may be a zombie.
    """
    with refused(errno.EACCES):
        child.leader.call(attempt, child.pidfd(scope))
    assert child.leader.call(os.getpid) == child.pid


@needs(REOPEN)
@OF_PIDFS
@pytest.mark.parametrize("access", [os.O_RDONLY, os.O_RDWR], ids=["O_RDONLY", "O_RDWR"])
def test_pidfd_cannot_be_truncated(child: ThreadGroup, scope: PidfdFlag, access: int) -> None:
    """O_TRUNC, which marks an autokill pidfd inside the kernel, is not to be had by an open.

    Beyond the C suite. As for all attributes the errno is EOPNOTSUPP since v6.17.
    """
    pidfd = child.pidfd(scope)
    with refused(*moved(errno.EOPNOTSUPP, old=errno.EPERM, since=(6, 17))):
        filesystem.reopen(pidfd, access | os.O_TRUNC)
