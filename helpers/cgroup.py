"""Cgroups (version 2) for children to run in and to die in."""

from __future__ import annotations

import itertools
import os
import re
from typing import TypeVar

from helpers import cgroupfs, journal, process
from helpers.process import ThreadGroup

_Self = TypeVar("_Self", bound="Cgroup")

_serial = itertools.count()


class Cgroup:
    """One cgroup of ours; removed when the block ends, what still runs in it is killed."""

    def __init__(self, path: str) -> None:
        """Take over the cgroup directory `path`."""
        self.path = path

    @property
    def id(self) -> int:
        """Its id: the inode number of its directory, which has all 64 bits where `ino_t` has."""
        return os.stat(self.path).st_ino

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


def directory_of_own() -> str:
    """The directory of the cgroup that we are in; raises ``FileNotFoundError`` if none is seen."""
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        found = re.search(r"^0::(/.*)$", file.read(), re.MULTILINE)
    if not found:
        raise FileNotFoundError("the kernel has no cgroup v2")
    own = found[1]
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            mount, _, source = line.partition(" - ")
            root, point = mount.split()[3:5]
            if source.startswith("cgroup2 ") and os.path.commonpath((root, own)) == root:
                inside = os.path.relpath(own, root)
                return os.path.normpath(os.path.join(point, inside))
    raise FileNotFoundError(f"no mount of cgroup2 shows our cgroup {own}")
