"""What this process may use of the machine that it runs on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def cores(root: str = "/") -> int:
    """CPUs by affinity, or fewer where a cgroup's ``cpu.max`` allows less time than theirs."""
    found = float(len(os.sched_getaffinity(0)))
    for quota, period in _limits(root, "cpu.max"):
        if quota != "max":
            found = min(found, int(quota) / int(period))
    return max(1, int(found))


def free_memory(root: str = "/") -> int:
    """MiB that are available, or fewer where a cgroup's ``memory.max`` leaves less."""
    lines = Path(root, "proc/meminfo").read_text(encoding="ascii").splitlines()
    fields = dict(line.split(":") for line in lines)
    free = int(fields["MemAvailable"].split()[0]) << 10
    for limit, used in zip(_limits(root, "memory.max"), _limits(root, "memory.current")):
        if limit[0] != "max":
            free = min(free, int(limit[0]) - int(used[0]))
    return max(0, free) >> 20


def _limits(root: str, name: str) -> Iterator[list[str]]:
    """The words of a file of our cgroup, and of those above it, in the unified hierarchy."""
    top = Path(root, "sys/fs/cgroup")
    groups = Path(root, "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    own = next((line[3:] for line in groups if line.startswith("0::/")), "/")
    place = top / own[1:]
    for group in (place, *place.parents):
        if group.is_relative_to(top) and (group / name).is_file():
            yield (group / name).read_text(encoding="ascii").split()
