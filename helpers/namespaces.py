"""Namespaces of processes: which there are, whose they are, and how to get into them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from helpers import process, syscalls
from helpers.descriptor import Descriptor, open_file
from helpers.filesystem import Identity, identity
from helpers.process import ThreadGroup
from helpers.uapi import PIDFS_IOCTL_MAGIC, CloneFlag, ioctl_none
from helpers.words import errno_name


class Kind(NamedTuple):
    """A kind of namespace: its name in /proc/PID/ns, its flag, and N of ``PIDFD_GET_*``, v6.11.

    What only children will be in has no flag.
    """

    name: str
    flag: CloneFlag
    number: int
    config: str

    def __str__(self) -> str:
        return self.name


PID_FOR_CHILDREN = Kind("pid_for_children", CloneFlag.NONE, 6, "PID_NS")
TIME_FOR_CHILDREN = Kind("time_for_children", CloneFlag.NONE, 8, "TIME_NS")
PID = Kind("pid", CloneFlag.NEWPID, 5, "PID_NS")
TIME = Kind("time", CloneFlag.NEWTIME, 7, "TIME_NS")
MNT = Kind("mnt", CloneFlag.NEWNS, 3, "NAMESPACES")
USER = Kind("user", CloneFlag.NEWUSER, 9, "USER_NS")
UTS = Kind("uts", CloneFlag.NEWUTS, 10, "UTS_NS")
IPC = Kind("ipc", CloneFlag.NEWIPC, 2, "IPC_NS")

KINDS = (
    USER,  # first: what follows needs rights in it
    MNT,
    PID,
    UTS,
    IPC,
    Kind("net", CloneFlag.NEWNET, 4, "NET_NS"),
    Kind("cgroup", CloneFlag.NEWCGROUP, 1, "CGROUPS"),
    TIME,
    PID_FOR_CHILDREN,
    TIME_FOR_CHILDREN,
)


def configured() -> list[Kind]:
    """The kinds that this kernel has."""
    return [kind for kind in KINDS if os.path.exists(f"/proc/self/ns/{kind}")]


def enterable() -> list[Kind]:
    """The kinds that this kernel has and a process can be moved into, the user namespace first."""
    return [kind for kind in configured() if kind.flag]


def of(pid: int, tid: int | None = None) -> dict[str, Identity]:
    """The namespaces of a task by their names in /proc.

    A pid namespace for children has none before the first of them.
    """
    told = {}
    for kind in configured():
        try:
            found = os.stat(f"/proc/{pid}/task/{tid or pid}/ns/{kind}")
        except FileNotFoundError:
            continue
        told[kind.name] = Identity(found.st_dev, found.st_ino)
    return told


def get(pidfd: Descriptor, kind: Kind, argument: int = 0) -> Descriptor:
    """``PIDFD_GET_*_NAMESPACE``."""
    request = ioctl_none(PIDFS_IOCTL_MAGIC, kind.number)
    return Descriptor(syscalls.ioctl(pidfd.fileno(), request, argument), f"{kind} namespace")


def open_in_proc(pid: int, kind: Kind) -> Descriptor:
    """A descriptor of a process's namespace, by its file in /proc."""
    return open_file(f"/proc/{pid}/ns/{kind}")


def enter(descriptor: Descriptor, flags: CloneFlag) -> None:
    """``setns(2)`` for the calling thread: never in the test itself.

    A pid namespace takes in only children made from now on.
    """
    syscalls.setns(descriptor.fileno(), flags)


def try_to_enter(descriptor: Descriptor, flags: CloneFlag) -> str:
    """``setns(2)``; gives the name of its errno, or ``entered``."""
    try:
        enter(descriptor, flags)
    except OSError as error:
        return errno_name(error.errno)
    return "entered"


def enter_until_refused(descriptor: Descriptor, flags: CloneFlag) -> str:
    """``setns(2)`` without pause until the kernel refuses; gives the name of its errno."""
    while (found := try_to_enter(descriptor, flags)) == "entered":
        pass
    return found


def answer(pidfd: Descriptor, kind: Kind) -> Identity | str:
    """What ``PIDFD_GET_*_NAMESPACE`` gives: the identity, or the name of its errno."""
    try:
        with get(pidfd, kind) as descriptor:
            return identity(descriptor)
    except OSError as error:
        return errno_name(error.errno)


def change_time_for_children() -> None:
    """Let the children be in a new time namespace."""
    syscalls.unshare(CloneFlag.NEWTIME)


def change_time() -> None:
    """Move into a new time namespace, which takes two steps."""
    change_time_for_children()
    with open_file("/proc/self/ns/time_for_children") as mine:
        enter(mine, CloneFlag.NEWTIME)


def flags_of(kinds: list[Kind]) -> CloneFlag:
    """All their flags."""
    return CloneFlag(sum(kind.flag for kind in kinds))


def isolated(role: str = "target") -> ThreadGroup:
    """A child in a namespace of its own of each kind that this kernel has."""
    kinds = enterable()
    group = process.spawn(flags_of([kind for kind in kinds if kind != TIME]), role)
    if TIME in kinds:
        group.leader.call(change_time)
    return group


def after_entering(kind: Kind, theirs: Mapping[str, Identity]) -> dict[str, Identity]:
    """What is new for a process when it has entered the namespace that another process is in.

    Nobody's own pid namespace ever changes, only that of the children to come.
    """
    if kind == PID:
        return {PID_FOR_CHILDREN.name: theirs[PID.name]}
    new = {kind.name: theirs[kind.name]}
    if kind == TIME:
        new[TIME_FOR_CHILDREN.name] = theirs[TIME.name]
    return new


def unshare(flags: CloneFlag) -> None:
    """``unshare(2)`` for the calling thread: never in the test itself."""
    syscalls.unshare(flags)


def map_ids(pid: int, number: int) -> None:
    """Let our ids have `number` in the new user namespace that process `pid` is in."""
    map_ranges(pid, f"{number} {os.geteuid()} 1", f"{number} {os.getegid()} 1")


def map_ranges(pid: int, users: str, groups: str) -> None:
    """Write the maps of the new user namespace that process `pid` is in; user_namespaces(7)."""
    for name, text in (
        ("setgroups", "deny"),  # without which the unprivileged may not map groups
        ("uid_map", users),
        ("gid_map", groups),
    ):
        with open(f"/proc/{pid}/{name}", "w", encoding="ascii") as file:
            file.write(text)
