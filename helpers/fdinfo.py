"""What /proc tells of a pidfd: ``Pid`` and ``NSpid`` in /proc/PID/fdinfo."""

from __future__ import annotations

from typing import NamedTuple

from helpers import process, syscalls
from helpers.descriptor import Descriptor
from helpers.filesystem import isolate_mounts
from helpers.process import ThreadGroup
from helpers.uapi import CloneFlag


class Shown(NamedTuple):
    """The two lines, exactly: a pid, and the pids from the procfs's namespace downwards."""

    pid: str
    nspid: str


def lines(descriptor: Descriptor) -> dict[str, str]:
    """All that the procfs on /proc says of a descriptor."""
    with open(f"/proc/self/fdinfo/{descriptor.fileno()}", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file)


def shown(pidfd: Descriptor) -> Shown:
    """What the procfs on /proc says of `pidfd`; empty where a line is missing."""
    pairs = lines(pidfd)
    return Shown(pairs.get("Pid", ""), pairs.get("NSpid", ""))


def mount_own_proc() -> None:
    """Cover /proc by one of the caller's own pid namespace; its mounts reach nobody else."""
    isolate_mounts()
    syscalls.mount("proc", "/proc", "proc")


def with_own_proc(role: str) -> ThreadGroup:
    """A child that is alone in new user, pid and mount namespaces, with a procfs of its own."""
    flags = CloneFlag.NEWUSER | CloneFlag.NEWPID | CloneFlag.NEWNS
    group = process.spawn(flags, role)
    group.leader.call(mount_own_proc)
    return group
