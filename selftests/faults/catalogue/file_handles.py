"""Faults of file handles of pidfds."""

from __future__ import annotations

import errno
import os
from typing import Any

from helpers.uapi import FD_PIDFS_ROOT
from helpers.uapi_files import FILEID_KERNFS, HandleFlag
from selftests.faults import boundary, pidfds
from selftests.faults.boundary import EBADF, EINVAL, ENOENT, EPERM, ESTALE, Real
from selftests.faults.registry import breaks, fault

_OPEN, _TAKE = "open_by_handle_at", "name_to_handle_at"
_VALID = os.O_ACCMODE | os.O_NONBLOCK | os.O_CLOEXEC | os.O_EXCL


@breaks(_OPEN)
def handle_opens_another_task(real: Real, fd: int, handle: Any, flags: int) -> int:
    """A handle leads back to the process that it was taken of."""
    os.close(real(fd, handle, flags))
    return pidfds.of_another()


@breaks(_OPEN)
def handle_of_another_type_opens(real: Real, fd: int, handle: Any, flags: int) -> int:
    """The type of a handle counts as well as the number in it."""
    if handle.type == 1:
        handle.type = FILEID_KERNFS
    return int(real(fd, handle, flags))


@breaks(_OPEN)
def handle_that_is_cut_off_opens(real: Real, fd: int, handle: Any, flags: int) -> int:
    """A handle leads to a process by its whole number."""
    if handle.bytes == 4:
        handle.bytes = 8
    return int(real(fd, handle, flags))


@fault()
def stale_handle_opens() -> None:
    """A handle that leads to no process, or to none in sight, is stale."""
    boundary.accept(_OPEN, ESTALE, result=pidfds.of_another)


@fault()
def malformed_handle_opens() -> None:
    """What is no handle is refused."""
    boundary.accept(_OPEN, EINVAL, result=pidfds.of_another)


@breaks(_OPEN)
def handle_of_a_zombie_is_stale(real: Real, fd: int, handle: Any, flags: int) -> int:
    """An exit makes no handle stale."""
    opened = int(real(fd, handle, flags))
    if pidfds.state(opened) == "Z":
        os.close(opened)
        boundary.fail(ESTALE)
    return opened


@breaks(_OPEN)
def handle_opens_without_cloexec(real: Real, fd: int, handle: Any, flags: int) -> int:
    """O_CLOEXEC that is asked for is set."""
    return pidfds.kept_on_exec(real(fd, handle, flags))


@breaks(_OPEN)
def handle_opens_with_cloexec(real: Real, fd: int, handle: Any, flags: int) -> int:
    """FD_CLOEXEC is set only where it is asked for."""
    return int(real(fd, handle, flags | os.O_CLOEXEC))


@breaks(_OPEN)
def handle_forgets_thread_scope(real: Real, fd: int, handle: Any, flags: int) -> int:
    """O_EXCL opens a handle with thread scope."""
    return int(real(fd, handle, flags & ~os.O_EXCL))


@breaks(_OPEN)
def handle_opens_with_other_flags(real: Real, fd: int, handle: Any, flags: int) -> int:
    """What a handle opens to has the flags asked for, and no other."""
    return pidfds.add_status_flag(real(fd, handle, flags), os.O_APPEND)


@breaks(_OPEN)
def unknown_open_flags_ignored(real: Real, fd: int, handle: Any, flags: int) -> int:
    """Flags that are not for pidfds are refused."""
    try:
        return int(real(fd, handle, flags))
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return int(real(fd, handle, flags & _VALID))


@breaks(_OPEN)
def every_number_is_the_root_of_pidfs(real: Real, fd: int, handle: Any, flags: int) -> int:
    """Of the numbers that are no descriptors only FD_PIDFS_ROOT leads to pidfs."""
    return int(real(fd if fd >= 0 else FD_PIDFS_ROOT, handle, flags))


@breaks(_OPEN)
def root_of_pidfs_unknown(real: Real, fd: int, handle: Any, flags: int) -> int:
    """FD_PIDFS_ROOT leads to pidfs without a descriptor."""
    return boundary.fail(EBADF) if fd == FD_PIDFS_ROOT else int(real(fd, handle, flags))


@breaks(_TAKE, "fstatfs_type", "pidfd_getfd", "pidfd_send_signal")
def root_of_pidfs_is_a_descriptor(real: Real, fd: int, *args: Any) -> Any:
    """FD_PIDFS_ROOT means nothing to other calls."""
    return 0 if fd == FD_PIDFS_ROOT else real(fd, *args)


@fault()
def handles_need_no_privilege() -> None:
    """Outside pidfs a handle is opened by the privileged only."""
    boundary.accept(_OPEN, EPERM, result=pidfds.of_another)


@breaks(_OPEN)
def handles_need_a_privilege(real: Real, fd: int, handle: Any, flags: int) -> int:
    """On pidfs a handle is opened without a privilege."""
    return boundary.fail(EPERM) if pidfds.unprivileged() else int(real(fd, handle, flags))


@breaks(_TAKE)
def handle_is_of_the_descriptor(real: Real, fd: int, name: str, handle: Any, flags: int) -> int:
    """A handle names the process, not the descriptor."""
    result = int(real(fd, name, handle, flags))
    if pidfds.nonblocking(fd):
        handle.data[7] ^= 1
    return result


@breaks(_TAKE)
def handle_of_another_type(real: Real, fd: int, name: str, handle: Any, flags: int) -> int:
    """The handle is the 64-bit number of the process, and its type says so."""
    result = int(real(fd, name, handle, flags))
    handle.type = 1
    return result


@breaks(_TAKE)
def handle_to_compare_by_differs(real: Real, fd: int, name: str, handle: Any, flags: int) -> int:
    """AT_HANDLE_FID gives the handle that can be opened."""
    result = int(real(fd, name, handle, flags))
    if flags & HandleFlag.FID:
        handle.data[7] ^= 1
    return result


@breaks(_TAKE)
def size_of_the_handle_not_told(real: Real, fd: int, name: str, handle: Any, flags: int) -> int:
    """Who has too little room learns the size."""
    try:
        return int(real(fd, name, handle, flags))
    except OSError as error:
        if error.errno == errno.EOVERFLOW:
            handle.bytes = 128
        raise


@breaks(_TAKE)
def connectable_handle_given(real: Real, fd: int, name: str, handle: Any, flags: int) -> int:
    """AT_HANDLE_CONNECTABLE does not go with AT_EMPTY_PATH."""
    return int(real(fd, name, handle, flags & ~HandleFlag.CONNECTABLE))


@fault()
def every_name_is_the_pidfd_itself() -> None:
    """Nothing is below a pidfd, and the empty name must be allowed."""

    def itself(real: Real, fd: int, name: str, handle: Any, flags: int) -> int:
        return int(real(fd, "", handle, HandleFlag.EMPTY_PATH))

    boundary.instead_of_errno(_TAKE, errno.ENOTDIR, itself)
    boundary.instead_of_errno(_TAKE, ENOENT, itself)
