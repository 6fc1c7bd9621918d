"""What a pidfd is as a file: inode, handle, mount, attributes.

The functions take and give `Descriptor`, so that a child can be ordered to call them.
"""

from __future__ import annotations

import ctypes
import errno
import os
from typing import NamedTuple

from helpers import syscalls
from helpers.descriptor import Descriptor, open_file
from helpers.expect import refused
from helpers.pidfd import Pidfd
from helpers.uapi import PidfdFlag
from helpers.uapi_files import (
    FS_IOC_GETVERSION,
    MAX_HANDLE_SZ,
    MOVE_MOUNT_EMPTY_PATHS,
    MS_BIND,
    MS_PRIVATE,
    MS_REC,
    OPEN_TREE_CLOEXEC,
    OPEN_TREE_CLONE,
    FileHandleStruct,
    HandleFlag,
)


class Identity(NamedTuple):
    """What tells one file from all others of the running system, but for 32-bit machines."""

    device: int
    inode: int


def identity(descriptor: Descriptor) -> Identity:
    """Device and inode number, by ``fstat(2)``."""
    answer = os.fstat(descriptor.fileno())
    return Identity(answer.st_dev, answer.st_ino)


def mode(descriptor: Descriptor) -> int:
    """File type and permissions, by ``fstat(2)``."""
    return os.fstat(descriptor.fileno()).st_mode


def magic(descriptor: Descriptor) -> int:
    """The number of the file system's kind, by ``fstatfs(2)``."""
    return syscalls.fstatfs_type(descriptor.fileno())


def magic_at(path: str) -> int:
    """The same of what stands at a path in the caller's mount namespace, which is not opened."""
    with open_file(path, os.O_PATH) as found:
        return magic(found)


def generation(descriptor: Descriptor) -> int:
    """The inode's generation, by ``FS_IOC_GETVERSION``."""
    # The request tells of a long, the kernel stores 32 bits.
    room = (ctypes.c_uint32 * 2)(*[0xFFFFFFFF] * 2)
    syscalls.ioctl(descriptor.fileno(), FS_IOC_GETVERSION, ctypes.addressof(room))
    return room[0]


def proc_path(descriptor: Descriptor) -> str:
    """The link to it in the calling process's /proc."""
    return f"/proc/self/fd/{descriptor.fileno()}"


def link_text(descriptor: Descriptor) -> str:
    """What the link to it in /proc says."""
    return os.readlink(proc_path(descriptor))


def reopen(descriptor: Descriptor, flags: int = os.O_RDONLY) -> Pidfd:
    """Open the link to it in /proc: a new open file description of the same file."""
    fd = os.open(proc_path(descriptor), flags | os.O_CLOEXEC | os.O_NOCTTY)
    return Pidfd(fd, f"reopened {descriptor.role}")


def execute(descriptor: Descriptor) -> None:
    """``execveat(2)`` with ``AT_EMPTY_PATH``, which is libc's fexecve."""
    syscalls.prepare_execve(descriptor.fileno(), ["pidfd"])()


def execute_link(descriptor: Descriptor) -> None:
    """``execve(2)`` of the link in /proc."""
    syscalls.prepare_execve(proc_path(descriptor), ["pidfd"])()


class Handle(NamedTuple):
    """A file handle: a name of a file that outlives every descriptor."""

    type: int
    data: bytes


def handle_of(
    target: Descriptor | int, flags: HandleFlag = HandleFlag.EMPTY_PATH, name: str = ""
) -> Handle:
    """``name_to_handle_at(2)`` with room for the largest handle."""
    raw = FileHandleStruct(bytes=MAX_HANDLE_SZ)
    syscalls.name_to_handle_at(_number(target), name, raw, flags)
    return Handle(raw.type, bytes(raw.data[: raw.bytes]))


def handle_size(target: Descriptor, room: int) -> int:
    """What the kernel says of a handle's size to a caller with room for `room` bytes.

    Fails where the kernel does not refuse with EOVERFLOW.
    """
    raw = FileHandleStruct(bytes=room)
    with refused(errno.EOVERFLOW):
        syscalls.name_to_handle_at(target.fileno(), "", raw, HandleFlag.EMPTY_PATH)
    return int(raw.bytes)


def open_handle(anchor: Descriptor | int, handle: Handle, flags: int = os.O_CLOEXEC) -> Pidfd:
    """``open_by_handle_at(2)`` with `anchor` on the handle's file system, or its sentinel."""
    raw = FileHandleStruct(bytes=len(handle.data), type=handle.type)
    raw.data[: len(handle.data)] = handle.data
    fd = syscalls.open_by_handle_at(_number(anchor), raw, flags)
    return Pidfd(fd, "reopened by its handle", flags=PidfdFlag(flags & PidfdFlag.THREAD))


def open_handle_in_ns(handle: Handle) -> Identity:
    """Open a handle by a pidfd of the caller itself; what was opened, closed again."""
    with Pidfd.open(os.getpid()) as anchor, open_handle(anchor, handle) as opened:
        return identity(opened)


def _number(target: Descriptor | int) -> int:
    return target if isinstance(target, int) else target.fileno()


def isolate_mounts() -> None:
    """Cut the caller's mount namespace off from all others, in both directions."""
    syscalls.mount("none", "/", "none", MS_REC | MS_PRIVATE)


def cover(place: str, directory: str) -> None:
    """Mount a directory over another, for those in the caller's mount namespace alone."""
    isolate_mounts()
    syscalls.mount(directory, place, "none", MS_BIND)


def clone_mount(descriptor: Descriptor) -> Descriptor:
    """A detached mount of the file, by ``open_tree(2)``."""
    flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | HandleFlag.EMPTY_PATH
    return Descriptor(syscalls.open_tree(descriptor.fileno(), "", flags), "detached mount")


def bind(descriptor: Descriptor, target: str) -> None:
    """Mount the file over the file `target`, in the caller's mount namespace."""
    with clone_mount(descriptor) as tree:
        attach = os.open(target, os.O_PATH | os.O_CLOEXEC)
        try:
            syscalls.move_mount(tree.fileno(), attach, MOVE_MOUNT_EMPTY_PATHS)
        finally:
            os.close(attach)


def open_path(path: str) -> Pidfd:
    """Open a file over which a pidfd is mounted."""
    return Pidfd(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY), f"mounted on {path}")


def set_attribute(descriptor: Descriptor, name: str) -> None:
    """Set an extended attribute to nothing in particular."""
    os.setxattr(descriptor.fileno(), name, b"other value")


def get_attribute(descriptor: Descriptor, name: str) -> bytes:
    """The value of an extended attribute."""
    return os.getxattr(descriptor.fileno(), name)


def remove_attribute(descriptor: Descriptor, name: str) -> None:
    """Remove an extended attribute."""
    os.removexattr(descriptor.fileno(), name)


def list_attributes(descriptor: Descriptor) -> list[str]:
    """The names of the extended attributes that the caller may know of."""
    return os.listxattr(descriptor.fileno())
