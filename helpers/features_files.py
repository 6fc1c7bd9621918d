"""Features of a pidfd as a file; see `helpers.features`."""

from __future__ import annotations

import errno
import os
from functools import partial

from helpers import filesystem, kernel, process
from helpers.features import Absent, Feature, Forbidden, Present, Verdict, errno_of, judge, where
from helpers.kernel import Version
from helpers.pidfd import Pidfd
from helpers.uapi import FD_PIDFS_ROOT, IS_64BIT, CloneFlag, PidfdFlag
from helpers.uapi_files import PID_FS_MAGIC


def _own() -> Pidfd:
    return Pidfd.open(os.getpid(), role="own")


def _probe_pidfs() -> Verdict:
    with _own() as pidfd:
        magic = filesystem.magic(pidfd)
    if magic == PID_FS_MAGIC:
        return Present()
    return Absent(f"statfs of a pidfd tells of file system {magic:#x}")


def _probe_owners() -> Verdict:
    file = os.memfd_create("probe")
    owners = (SAME_OWNER, OTHER_OWNER)
    errors = [errno_of(partial(os.fchown, file, *numbers)) for numbers in owners]
    os.close(file)
    if errno.EINVAL in errors:  # told before the file is asked
        return Forbidden("our user namespace lacks one of users 0 and 1 and groups 0 and 5")
    return Present()


def _probe_generation() -> Verdict:
    with _own() as pidfd:
        error = errno_of(lambda: filesystem.generation(pidfd))
    return judge(error, "FS_IOC_GETVERSION", (errno.ENOTTY, errno.EINVAL))


def _probe_inodes() -> Verdict:
    if kernel.is_64bit():
        return Present()
    return Forbidden("a 32-bit kernel keeps half of the number in the generation")


def _probe_handle() -> Verdict:
    with _own() as pidfd:
        error = errno_of(lambda: filesystem.handle_of(pidfd))
        if error:
            return judge(error, "name_to_handle_at", (errno.EOPNOTSUPP, errno.ENOSYS))
        handle = filesystem.handle_of(pidfd)
        error = errno_of(lambda: filesystem.open_handle(pidfd, handle).close())
    return judge(error, "open_by_handle_at", (errno.ESTALE, errno.ENOSYS))


def _flags_of_reopened(flags: int) -> tuple[int, bool]:
    with _own() as pidfd:
        with filesystem.open_handle(pidfd, filesystem.handle_of(pidfd), flags) as opened:
            return opened.status_flags, opened.closes_on_exec


def _probe_handle_cloexec() -> Verdict:
    _, closes = _flags_of_reopened(0)
    return Absent("open_by_handle_at sets FD_CLOEXEC unasked") if closes else Present()


def _probe_handle_thread() -> Verdict:
    status, _ = _flags_of_reopened(PidfdFlag.THREAD)
    if status & PidfdFlag.THREAD:
        return Present()
    return Absent(f"open_by_handle_at(O_EXCL) gives file status flags {status}")


def _probe_root() -> Verdict:
    with _own() as pidfd:
        handle = filesystem.handle_of(pidfd)
    error = errno_of(lambda: filesystem.open_handle(FD_PIDFS_ROOT, handle).close())
    return judge(error, "open_by_handle_at(FD_PIDFS_ROOT)", (errno.EBADF,))


def _probe_reopen() -> Verdict:
    with _own() as pidfd:
        error = errno_of(lambda: filesystem.reopen(pidfd).close())
    if error == errno.EACCES:
        return Forbidden("a pidfd's file belongs to root, mode 0700: not root, no CAP_DAC_OVERRIDE")
    return judge(error, "open(/proc/self/fd/PIDFD)", (errno.ENXIO,))


def _probe_attributes() -> Verdict:
    with _own() as pidfd:
        error = errno_of(lambda: os.getxattr(pidfd.fileno(), "trusted.probe"))
        if error == errno.ENODATA:
            error = errno_of(lambda: os.setxattr(pidfd.fileno(), "trusted.probe", b""))
            if error == errno.EPERM:
                return Forbidden("setxattr(trusted.*) gives EPERM: no CAP_SYS_ADMIN over all")
    return judge(error, "xattr trusted.* of a pidfd", (errno.EOPNOTSUPP,))


def _probe_bind() -> Verdict:
    flags = CloneFlag.NEWUSER | CloneFlag.NEWNS
    error = errno_of(lambda: process.spawn(flags, "probe"))
    if error:
        return judge(error, "clone(NEWUSER|NEWNS)", (errno.EINVAL,))
    child = process.spawn(flags, "probe")
    error = errno_of(lambda: child.leader.call(filesystem.isolate_mounts))
    if error:
        return judge(error, "mount(MS_PRIVATE) in a namespace of one's own", ())
    with _own() as pidfd:
        error = errno_of(lambda: child.leader.call(filesystem.clone_mount, pidfd))
    return judge(error, "open_tree(OPEN_TREE_CLONE) of a pidfd", (errno.EINVAL, errno.ENOSYS))


SAME_OWNER, OTHER_OWNER = (0, 0), (1, 5)
"""User and group of every pidfd's file, and others."""
OWNERS = Feature("owners of files by these numbers", Version(2, 6), _probe_owners)
WHOLE_INODES = Feature("inode numbers of 64 bits", Version(2, 6), _probe_inodes)
PIDFS = Feature("pidfs", Version(6, 9), _probe_pidfs)
# A 32-bit program has another number for it, whose long is shorter. 64-bit kernels did not know
# that one at first: in v6.18 they did not, in v7.3 pidfd_compat_ioctl() does.
GENERATION = (
    Feature("FS_IOC_GETVERSION of a pidfd", Version(6, 14), _probe_generation)
    if IS_64BIT
    else Feature("FS_IOC32_GETVERSION of a pidfd", Version(7, 3), _probe_generation)
)
FILE_HANDLE = Feature("file handles of pidfds", Version(6, 14), _probe_handle, ("FHANDLE",))
HANDLE_CLOEXEC = Feature(
    "open_by_handle_at(2) of a pidfd without FD_CLOEXEC",
    Version(6, 17),
    where(FILE_HANDLE, _probe_handle_cloexec),
    ("FHANDLE",),
    rule=True,
)
HANDLE_THREAD = Feature(
    "PIDFD_THREAD kept by open_by_handle_at(2)",
    Version(7, 2),
    where(FILE_HANDLE, _probe_handle_thread),
    ("FHANDLE",),
    rule=True,
)
PIDFS_ROOT = Feature("FD_PIDFS_ROOT", Version(6, 17), where(FILE_HANDLE, _probe_root), ("FHANDLE",))
REOPEN = Feature("reopening a pidfd by its link in /proc", Version(6, 9), _probe_reopen)
XATTR = Feature("extended attributes of pidfds", Version(6, 17), _probe_attributes)
BIND_MOUNT = Feature("bind mounts of pidfds", Version(6, 14), _probe_bind, ("USER_NS",))
