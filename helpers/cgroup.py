"""Cgroups (version 2) for children to run in and to die in."""

from __future__ import annotations

import itertools
import os
import re
import sys
from typing import TypeVar

from helpers import cgroupfs, filesystem, journal, kernel, process
from helpers.process import ThreadGroup
from helpers.uapi import MACHINE
from helpers.uapi_files import HandleFlag

_Self = TypeVar("_Self", bound="Cgroup")

_serial = itertools.count()


class Cgroup:
    """One cgroup of ours; removed when the block ends, what still runs in it is killed."""

    def __init__(self, path: str) -> None:
        """Take over the cgroup directory `path`."""
        self.path = path

    @property
    def id(self) -> int:
        """Its id, as long as it is not removed; see `id_of`."""
        return id_of(self.path)

    def take_in(self, group: ThreadGroup) -> None:
        """Move a process, all of its threads, into this cgroup."""
        with open(f"{self.path}/cgroup.procs", "w", encoding="ascii") as file:
            file.write(str(group.pid))
        journal.record("test", f"moved {group!r} to {self.path}")

    def remove(self) -> None:
        """Remove it, now; killing what still runs in it."""
        process.zygote().call(cgroupfs.remove, self.path)

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


def make() -> Cgroup:
    """A new cgroup below our own. Raises ``OSError`` where that cannot be had."""
    path = f"{directory_of_own()}/pidfd-test-{os.getpid()}-{next(_serial)}"
    process.zygote().call(cgroupfs.create, path)
    return Cgroup(path)


def id_of(path: str) -> int:
    """The id of the cgroup whose directory is `path`; raises ``OSError`` where it is not told.

    It is what the directory's file handle holds, and its inode number where that has 64 bits:
    ``ino_t`` of the kernel has 32 on 32-bit machines and on s390x (``kernfs_create_root``).
    """
    try:
        handle = filesystem.handle_of(-1, HandleFlag.NONE, path)
    except OSError:  # without CONFIG_FHANDLE, or filtered
        if not kernel.is_64bit() or MACHINE == "s390x":
            raise
        return os.stat(path).st_ino
    return int.from_bytes(handle.data, sys.byteorder)


def directory_of_own() -> str:
    """The directory of the cgroup that we are in; raises ``FileNotFoundError`` if none is seen."""
    with open("/proc/self/cgroup", "rb") as file:
        found = re.search(r"^0::(/.*)$", os.fsdecode(file.read()), re.MULTILINE)
    if not found:
        raise FileNotFoundError("the kernel has no cgroup v2")
    own = found[1]
    with open("/proc/self/mountinfo", "rb") as file:
        for line in file:  # names in it may have any bytes but blanks and line feeds
            mount, _, source = os.fsdecode(line).partition(" - ")
            root, point = mount.split(" ")[3:5]
            if source.startswith("cgroup2 ") and os.path.commonpath((root, own)) == root:
                inside = os.path.relpath(own, root)
                return os.path.normpath(os.path.join(point, inside))
    raise FileNotFoundError(f"no mount of cgroup2 shows our cgroup {own}")
