"""What the kernel headers say of files, handles and mounts; see `helpers.uapi`."""

from __future__ import annotations

import ctypes
import os

from helpers.uapi import Flags, ioctl_read

PID_FS_MAGIC = 0x50494446
"""``include/uapi/linux/magic.h``; v6.9."""

FILEID_KERNFS = 0xFE
"""The type of a handle that is a 64-bit number; ``include/linux/exportfs.h``."""

MAX_HANDLE_SZ = 128
"""``include/linux/exportfs.h``."""

FS_IOC_GETVERSION = ioctl_read(ord("v"), 1, ctypes.sizeof(ctypes.c_long))
"""Asks for an inode's generation, 32 bits; ``include/uapi/linux/fs.h``."""


class HandleFlag(Flags):
    """Flags of ``name_to_handle_at(2)``; ``include/uapi/linux/fcntl.h``."""

    NONE = 0
    CONNECTABLE = 0x0002  # v6.13
    FID = 0x0200  # v6.5
    EMPTY_PATH = 0x1000


class FileHandleStruct(ctypes.Structure):
    """``struct file_handle`` with room for the largest; ``include/linux/fs.h``."""

    _fields_ = [
        ("bytes", ctypes.c_uint),
        ("type", ctypes.c_int),
        ("data", ctypes.c_ubyte * MAX_HANDLE_SZ),
    ]


OPEN_TREE_CLONE = 1
OPEN_TREE_CLOEXEC = os.O_CLOEXEC
MOVE_MOUNT_EMPTY_PATHS = 0x4 | 0x40
"""Both the mount to move and the target are told by descriptors alone."""

MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18

# include/uapi/linux/fanotify.h
FAN_OPEN = 0x20
FAN_CLOEXEC = 0x01
FAN_NONBLOCK = 0x02
FAN_REPORT_PIDFD = 0x80  # v5.15
FAN_REPORT_TID = 0x100  # v4.20, together with pidfds since v7.2
FAN_REPORT_FID = 0x200  # v5.1; events bring file handles in place of descriptors
FAN_REPORT_FD_ERROR = 0x2000  # v6.13
FAN_MARK_ADD = 0x01
FAN_EVENT_INFO_TYPE_PIDFD = 4  # v5.15
FAN_NOPIDFD = -1  # v5.15
FAN_EPIDFD = -2  # v5.15

KCMP_FILE = 0
"""Asks whether two descriptors are of one open file description; ``include/uapi/linux/kcmp.h``."""
