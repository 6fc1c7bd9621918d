"""What no test can do without: said in one line where it is missing."""

from __future__ import annotations

import os
import resource

from helpers import syscalls
from helpers.uapi import ABI
from helpers.wire import Channel

_FILES = 1024  # the default of Linux; races keep their copies from 500 on


def missing() -> str | None:
    """What is missing here, and what to do about it."""
    if not syscalls.KNOWN:
        return (
            "the system call numbers of this machine are not known here: "
            f"helpers/syscalls.py lacks those of {ABI}"
        )
    if not os.path.exists("/proc/self/status"):
        return "/proc is missing: mount -t proc proc /proc, and run again"
    if not os.path.exists("/proc/sys/kernel/tainted"):
        return "/proc/sys is missing (CONFIG_SYSCTL, or /proc with subset=pid)"
    return _limit_of_files() or _obstacle_to_sockets()


def _limit_of_files() -> str | None:
    """Raise the soft limit of open files where it is low; the hard one is not ours to raise."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _enough(soft):
        return None
    if not _enough(hard):
        return f"only {hard} open files are allowed (RLIMIT_NOFILE): ulimit -Hn {_FILES}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, hard))
    return None


def _enough(files: int) -> bool:
    return files == resource.RLIM_INFINITY or files >= _FILES


def _obstacle_to_sockets() -> str | None:
    try:
        for end in Channel.pair("trial"):
            end.close()
    except OSError as error:
        return (
            f"children take orders over AF_UNIX sockets, and there are none here: {error.strerror} "
            "(CONFIG_UNIX, or what forbids socketpair)"
        )
    return None
