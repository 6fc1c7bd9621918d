"""Calls that work on an open file, by the number of a descriptor: none may take a sentinel."""

from __future__ import annotations

import ctypes
import os
import select
import socket
import struct

from helpers import syscalls
from helpers.descriptor import open_file
from helpers.namespaces import MNT
from helpers.uapi import (
    P_PIDFD,
    PIDFS_IOCTL_MAGIC,
    PidfdInfoStruct,
    PollEvent,
    ioctl_none,
    pidfd_get_info,
)


def getfd(number: int) -> None:
    """``pidfd_getfd(2)`` of a file of the caller's own."""
    with open_file(os.devnull) as file:
        os.close(syscalls.pidfd_getfd(number, file.fileno()))


def setns(number: int) -> None:
    """``setns(2)`` into no namespace at all, which a pidfd refuses with EINVAL."""
    syscalls.setns(number, 0)


def get_info(number: int) -> None:
    """``PIDFD_GET_INFO``."""
    raw = PidfdInfoStruct()
    syscalls.ioctl(number, pidfd_get_info(), ctypes.addressof(raw))


def get_namespace(number: int) -> None:
    """``PIDFD_GET_MNT_NAMESPACE``."""
    os.close(syscalls.ioctl(number, ioctl_none(PIDFS_IOCTL_MAGIC, MNT.number)))


def add_to_epoll(number: int) -> None:
    """``epoll_ctl(2)`` with EPOLL_CTL_ADD."""
    with select.epoll() as epoll:
        syscalls.epoll_add(epoll.fileno(), number, PollEvent.IN)


def send_as_rights(number: int) -> None:
    """``sendmsg(2)`` with SCM_RIGHTS."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", number))
        ours.sendmsg([b"x"], [rights])


def duplicate(number: int) -> None:
    """``dup(2)``."""
    os.close(os.dup(number))


def stat(number: int) -> None:
    """``fstat(2)``."""
    os.fstat(number)


def open_beneath(number: int) -> None:
    """``openat(2)`` with it as the directory, which a pidfd refuses with ENOTDIR."""
    os.close(os.open("name", os.O_RDONLY | os.O_CLOEXEC, dir_fd=number))


def wait(number: int) -> None:
    """``waitid(P_PIDFD)``; by a pidfd of the caller's own there is no such child."""
    syscalls.waitid(P_PIDFD, number, os.WEXITED | os.WNOHANG)


def read_fdinfo(number: int) -> None:
    """Read ``/proc/self/fdinfo/NUMBER``."""
    with open(f"/proc/self/fdinfo/{number}", "rb") as file:
        file.read()


def read_link(number: int) -> None:
    """Read the link ``/proc/self/fd/NUMBER``."""
    os.readlink(f"/proc/self/fd/{number}")
