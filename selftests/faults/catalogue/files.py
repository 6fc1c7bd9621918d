"""Faults of a pidfd as a file: inode, mode, link, mounts, changes."""

from __future__ import annotations

import ctypes
import fcntl
import itertools
import os
import signal
import stat
from collections.abc import Callable
from typing import Any

from helpers.uapi_files import FS_IOC_GETVERSION
from selftests.faults import answers, boundary, pidfds
from selftests.faults.boundary import EACCES, EINVAL, EPERM, Real
from selftests.faults.registry import breaks, fault

_INODE, _DEVICE = 1, 2


@fault()
def inode_of_the_descriptor() -> None:
    """Every pidfd of a process is the same file, now and later."""
    serial = itertools.count()

    def edit(fd: int, fields: list[Any]) -> None:
        fields[_INODE] += next(serial) + os.getpid()

    answers.edit_stat(edit)


@fault()
def one_inode_for_all() -> None:
    """Every task has an inode of its own."""

    def edit(fd: int, fields: list[Any]) -> None:
        fields[_INODE] = 1

    answers.edit_stat(edit)


@fault()
def inode_is_the_pid() -> None:
    """The inode number of a process is never that of a later one."""

    def edit(fd: int, fields: list[Any]) -> None:
        fields[_INODE] = (pidfds.nested(fd) or [0])[-1]

    answers.edit_stat(edit)


@fault()
def device_of_the_task() -> None:
    """All pidfds are on one device."""

    def edit(fd: int, fields: list[Any]) -> None:
        fields[_DEVICE] += pidfds.target(fd)

    answers.edit_stat(edit)


@fault()
def pidfd_is_a_regular_file() -> None:
    """The mode of a pidfd has no file type."""

    def edit(fd: int, fields: list[Any]) -> None:
        fields[0] |= stat.S_IFREG

    answers.edit_stat(edit)


@fault()
def pidfd_is_an_anonymous_inode() -> None:
    """By statfs a pidfd is told by PID_FS_MAGIC."""
    boundary.wrap("fstatfs_type", lambda real, fd: real(fd) ^ 1)


@breaks("os.readlink")
def link_tells_of_pidfs(real: Real, path: str, **more: Any) -> str:
    """The link in /proc reads as it did before pidfs."""
    return str(real(path, **more)).replace("anon_inode:[pidfd]", "pidfd:[1]")


@breaks("ioctl")
def generation_counts(real: Real, fd: int, request: int, argument: int | None = None) -> int:
    """The generation is 0 where inode numbers are whole."""
    result = int(real(fd, request, argument))
    if request == FS_IOC_GETVERSION and argument:
        ctypes.c_uint32.from_address(argument).value += 1
    return result


@breaks("os.open")
def opened_path_is_another_task(real: Real, path: str, *args: Any, **more: Any) -> int:
    """A link to a pidfd, and a file it is mounted over, opens to a pidfd of the same task."""
    fd = int(real(path, *args, **more))
    if not pidfds.target(fd):
        return fd
    os.close(fd)
    return pidfds.of_another()


@breaks("os.open")
def link_opens_to_a_duplicate(real: Real, path: str, *args: Any, **more: Any) -> int:
    """The link to a pidfd opens to a new open file description."""
    found = str(path).rpartition("/proc/self/fd/")[2]
    if found != str(path) and pidfds.target(int(found)):
        return os.dup(int(found))
    return int(real(path, *args, **more))


@breaks("move_mount")
def pidfd_is_not_attached(real: Real, *args: Any) -> None:
    """A mount of a pidfd can be attached over a file."""


@fault()
def pidfd_cannot_be_cloned() -> None:
    """A mount of a pidfd can be cloned."""
    boundary.wrap("open_tree", lambda real, *args: boundary.fail(EINVAL))


@fault()
def pidfd_mounted_without_a_privilege() -> None:
    """To mount a pidfd takes a privilege."""
    boundary.accept("open_tree", EPERM, result=boundary.null)


@fault()
def detached_mount_is_another_file() -> None:
    """A detached mount of a pidfd is the same file."""
    boundary.wrap("open_tree", lambda real, *args: boundary.null())


@breaks("os.fchown", "os.fchmod", "os.utime")
def attributes_of_a_pidfd_change(real: Real, *args: Any, **more: Any) -> None:
    """Owner, mode and times of a pidfd cannot be changed."""
    try:
        real(*args, **more)
    except OSError:
        if not pidfds.target(args[0]):
            raise


@breaks("os.open")
def pidfd_is_truncated(real: Real, path: str, flags: int, *args: Any, **more: Any) -> int:
    """A pidfd cannot be opened to be truncated."""
    return int(real(path, flags & ~os.O_TRUNC, *args, **more))


@breaks("prepare_execve")
def pidfd_executes(real: Real, *args: Any) -> Callable[[], None]:
    """A pidfd cannot be executed."""
    execute = real(*args)

    def instead() -> None:
        try:
            execute()
        except OSError as error:
            if error.errno != EACCES:
                raise

    return instead


@breaks("open_as_told")
def close_on_exec_of_a_link_turned(real: Real, path: str, flags: int) -> int:
    """The link to a pidfd opens with FD_CLOEXEC where O_CLOEXEC asks for it."""
    return int(real(path, flags ^ os.O_CLOEXEC))


@breaks("ioctl")
def generation_goes_nowhere(real: Real, fd: int, request: int, argument: int | None = None) -> int:
    """The generation needs a place to go to."""
    try:
        return int(real(fd, request, argument))
    except OSError:
        if request != FS_IOC_GETVERSION:
            raise
        return 0


@fault(kills=True)
def f_setfl_sets_every_flag() -> None:
    """F_SETFL leaves alone what the kernel keeps among the flags of a pidfd."""
    asked: dict[int, int] = {}
    kept = os.O_EXCL | os.O_TRUNC

    def broken(real: Real, fd: int, command: int, argument: int = 0) -> Any:
        if command == fcntl.F_SETFL and pidfds.target(fd):
            asked[fd] = argument
        found = real(fd, command, argument)
        if command == fcntl.F_GETFL and fd in asked:
            return found & ~kept | asked[fd] & kept
        return found

    def close(real: Real, fd: int) -> None:
        if asked.pop(fd, 0) & os.O_TRUNC:
            os.kill(pidfds.target(fd), signal.SIGKILL)
        real(fd)

    boundary.wrap("fcntl.fcntl", broken)
    boundary.wrap("os.close", close)
