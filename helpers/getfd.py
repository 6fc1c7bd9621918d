"""Copies of other processes' descriptors."""

from __future__ import annotations

import os
import resource

from helpers import journal, syscalls
from helpers.descriptor import Descriptor
from helpers.uapi import CloneFlag


def copy(pidfd: Descriptor, number: int, flags: int = 0) -> Descriptor:
    """``pidfd_getfd(2)`` of descriptor `number` there."""
    journal.record(pidfd.role, f"pidfd_getfd({number}, {int(flags):#x})")
    return Descriptor(syscalls.pidfd_getfd(pidfd.fileno(), number, flags), f"copy of {number}")


def closed_number() -> int:
    """The number of a descriptor that the caller has just closed, and nobody has."""
    number = os.memfd_create("closed")
    os.close(number)
    return number


def open_in_own_table() -> int:
    """Take leave from the descriptors of the other threads, and open one that they have not."""
    syscalls.unshare(CloneFlag.FILES)
    return os.memfd_create("private")


def fill_table() -> None:
    """Let RLIMIT_NOFILE leave no room for one descriptor more."""
    first_free = closed_number()
    resource.setrlimit(resource.RLIMIT_NOFILE, (first_free, first_free))


def copy_into_full_table(pidfd: Descriptor, number: int) -> None:
    """``pidfd_getfd(2)`` when the table is full."""
    fill_table()
    copy(pidfd, number)


def open_into_full_table(pid: int) -> None:
    """``pidfd_open(2)`` when the table is full."""
    fill_table()
    syscalls.pidfd_open(pid, 0)


def copy_until_refused(pidfd: Descriptor, number: int) -> int:
    """Copy without pause until the kernel refuses; gives its errno."""
    while True:
        try:
            os.close(syscalls.pidfd_getfd(pidfd.fileno(), number))
        except OSError as error:
            return error.errno or 0
