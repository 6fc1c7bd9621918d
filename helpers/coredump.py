"""Children that must dump core, or must not, without a trace on the machine."""

from __future__ import annotations

import os
import resource
import tempfile

from helpers import syscalls
from helpers.uapi import PR_SET_DUMPABLE


def forbid() -> None:
    """No signal shall make this process dump core, wherever dumps go on this machine."""
    syscalls.prctl(PR_SET_DUMPABLE, 0)


def obstacle() -> str | None:
    """Why nobody can dump core into a file here unseen; None where it can be done."""
    with open("/proc/sys/kernel/core_pattern", encoding="utf-8", errors="replace") as file:
        pattern = file.read().strip()
    if pattern.startswith(("|", "@")):
        return f"core dumps are handed to {pattern!r} (kernel.core_pattern), which would keep them"
    if not pattern or "%" in os.path.dirname(pattern):
        return f"core dumps go to {pattern!r} (kernel.core_pattern)"
    if resource.getrlimit(resource.RLIMIT_CORE)[1] != resource.RLIM_INFINITY:
        return "the hard limit of RLIMIT_CORE forbids core dumps"
    return None


def allow_in_private(uid: int, gid: int) -> None:
    """Let this process dump core; into a file, in a tmpfs that only it sees and that ends with it.

    It must be the first of a user and a mount namespace, `uid` and `gid` its ids in those before.
    """
    with open("/proc/sys/kernel/core_pattern", encoding="utf-8", errors="replace") as file:
        pattern = file.read().strip()
    for name, text in (
        ("coredump_filter", "0"),  # no memory, only what the format asks for
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),  # the dump's owner must have a number here
        ("gid_map", f"{gid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)
    root = tempfile.gettempdir()
    syscalls.mount("pidfd-core", root, "tmpfs")
    os.chroot(root)
    os.chdir("/")
    if not pattern.startswith("@"):
        os.makedirs(os.path.dirname(os.path.join("/", pattern)), exist_ok=True)
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
