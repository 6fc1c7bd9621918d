"""Races about the namespaces of a process: the ioctls of pidfds, and setns(2)."""

from __future__ import annotations

import ctypes
import functools
import os

from helpers import attempts, features_process, namespaces, process, syscalls
from helpers.attempts import Attempts
from helpers.features import Feature, Verdict, errno_of, judge
from helpers.kernel import Version
from helpers.race_board import Subject
from helpers.race_driver import Family, Observer
from helpers.race_observers import Refusal, Word, take_inode
from helpers.scenes import end_and_reap
from helpers.uapi import PIDFS_IOCTL_MAGIC, CloneFlag, ioctl_none

ITS_NAMESPACE, ANOTHER_NAMESPACE = Word("its namespace"), Word("another namespace")
ENTERED, HALF_ENTERED = Word("entered"), Word("half entered")

_KINDS = CloneFlag.NEWUTS | CloneFlag.NEWIPC
_OWN = ("/proc/self/ns/uts", "/proc/self/ns/ipc")


end_in_own_namespaces = functools.partial(end_and_reap, namespaces=_KINDS)
"""A process with namespaces of its own is killed and reaped."""


class GetNamespace(Observer):
    """Opens a namespace of the task by its pidfd."""

    name = "PIDFD_GET_UTS_NAMESPACE"
    ours = False  # whether the task is in our own namespace

    def prepare(self) -> Attempts:
        """Of a kind that the task has for itself."""
        self._ours = os.stat(_OWN[0]).st_ino
        return attempts.ioctl(ioctl_none(PIDFS_IOCTL_MAGIC, namespaces.UTS.number))

    def begin(self, subject: Subject) -> None:
        """Take the first answer of a round for right, if it may be that at all: see `ours`."""
        super().begin(subject)
        self._due = 0

    def decode(self, result: int, _answer: bytes) -> object:
        """Whether it is that namespace; the descriptor is closed."""
        if result < 0:
            return Refusal(-result)
        found = take_inode(result)
        self._due = self._due or found
        is_due = found == self._due and (found == self._ours) == self.ours
        return ITS_NAMESPACE if is_due else ANOTHER_NAMESPACE


class GetOurNamespace(GetNamespace):
    """Opens a namespace of a task that has ours."""

    ours = True


def come_back() -> None:
    """Enter the namespaces that this process is in; who left them must be able to come back."""
    for path in _OWN:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            syscalls.setns(fd, 0)
        finally:
            os.close(fd)


class SetNs(Observer):
    """Enters two namespaces of the task at once, and comes back."""

    name = "setns"

    def __init__(self, family: Family) -> None:
        """Know the way back."""
        self._back = [os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in _OWN]
        self._home = [os.stat(path).st_ino for path in _OWN]
        super().__init__(family)

    def prepare(self) -> Attempts:
        """Each tells how many of the namespaces it came into."""
        kinds = int(_KINDS)

        def call(fd: ctypes.c_long) -> int:
            try:
                syscalls.setns(fd.value, kinds)
            except OSError as error:
                ctypes.set_errno(error.errno or 0)
                return self._return() or -1
            return self._return()

        return Attempts("setns", call, lambda fd, _: (fd,), length=attempts.FEW)

    def _return(self) -> int:
        """Go home; how many namespaces were others."""
        away = [os.stat(path).st_ino for path in _OWN]
        for fd in self._back:
            syscalls.setns(fd, 0)
        return sum(there != here for there, here in zip(away, self._home))

    def decode(self, result: int, _answer: bytes) -> object:
        """All or nothing."""
        if result < 0:
            return Refusal(-result)
        return ENTERED if result == len(_OWN) else HALF_ENTERED


def _probe_return() -> Verdict:
    driver = process.spawn(features_process.alone(), role="probe")
    return judge(
        errno_of(lambda: driver.leader.call(come_back)), "setns(2) to the own namespaces", ()
    )


RETURN = Feature(
    "setns(2) back to the namespaces of the test",
    Version(3, 8),
    _probe_return,
    ("USER_NS", "PID_NS"),
)
