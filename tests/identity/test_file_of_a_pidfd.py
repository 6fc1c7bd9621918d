"""A pidfd is a file of pidfs, and looks to old tools as the anonymous inode that it once was."""

from __future__ import annotations

import errno
import stat

import pytest

from helpers import filesystem, syscalls
from helpers.expect import refused
from helpers.features_files import GENERATION, PIDFS, WHOLE_INODES
from helpers.gating import needs
from helpers.parameters import OF_PIDFS
from helpers.process import ThreadGroup
from helpers.uapi import PidfdFlag
from helpers.uapi_files import FS_IOC_GETVERSION, PID_FS_MAGIC

pytestmark = needs(PIDFS)


@OF_PIDFS
def test_file_system_is_pidfs(child: ThreadGroup, scope: PidfdFlag) -> None:
    """``statfs(2)`` tells a pidfd by ``PID_FS_MAGIC``.

    Beyond the C suite.
    """
    assert filesystem.magic(child.pidfd(scope)) == PID_FS_MAGIC


@OF_PIDFS
def test_file_type_is_none(child: ThreadGroup, scope: PidfdFlag) -> None:
    """The mode has no file type, by which lsof knows anonymous inodes, and root alone may do all.

    db3d841ac9ed ("fs/pidfs: make 'lsof' happy with our inode changes"), v6.10. Beyond the C suite.
    """
    assert stat.filemode(filesystem.mode(child.pidfd(scope))) == "?rwx------"


@OF_PIDFS
def test_link_in_proc_tells_of_an_anonymous_inode(child: ThreadGroup, scope: PidfdFlag) -> None:
    """The link in /proc reads as it did before pidfs, for tools that look for it.

    db3d841ac9ed ("fs/pidfs: make 'lsof' happy with our inode changes"), v6.10. Beyond the C suite.
    """
    assert filesystem.link_text(child.pidfd(scope)) == "anon_inode:[pidfd]"


@needs(GENERATION, WHOLE_INODES)
@OF_PIDFS
def test_generation_is_0_where_inode_numbers_are_whole(
    child: ThreadGroup, scope: PidfdFlag
) -> None:
    """The generation is the part of the number that ``st_ino`` has no room for: none on 64 bits.

    Beyond the C suite, which only compares the generation of a pidfd with its own.
    """
    assert filesystem.generation(child.pidfd(scope)) == 0


@needs(GENERATION)
@pytest.mark.parametrize(
    ("address", "error"),
    [pytest.param(0, errno.EINVAL, id="null"), pytest.param(8, errno.EFAULT, id="nowhere")],
)
def test_generation_needs_a_place(child: ThreadGroup, address: int, error: int) -> None:
    """A null pointer gives EINVAL, an address that cannot be written EFAULT.

    Beyond the C suite.
    """
    with refused(error):
        syscalls.ioctl(child.pidfd().fileno(), FS_IOC_GETVERSION, address)
