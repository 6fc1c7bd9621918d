"""Self sentinels: numbers that stand for the caller where a system call takes a pidfd."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from enum import Enum

from helpers import features, journal, memory, procfs, syscalls
from helpers.expect import answer
from helpers.info import signal_name
from helpers.kernel import Version
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.uapi import (
    AT_FDCWD,
    PIDFD_SELF_THREAD,
    PIDFD_SELF_THREAD_GROUP,
    PIDFD_SELF_THREAD_GROUP_V6_15,
)
from helpers.words import Named

NUMBER_MOVED = Version(6, 17)
"""From here on `PIDFD_SELF_THREAD_GROUP` is the number of the group sentinel, and the only one."""

Call = Callable[[int], object]


class Sentinel(Enum):
    """The two sentinels, by their names in the kernel's headers; v6.15.

    In ``include/uapi/linux/pidfd.h`` at first, in ``include/uapi/linux/fcntl.h`` since v6.17.
    """

    THREAD = "PIDFD_SELF_THREAD"
    GROUP = "PIDFD_SELF_THREAD_GROUP"

    @property
    def number(self) -> int:
        """What this kernel takes for it."""
        number = PIDFD_SELF_THREAD if self is Sentinel.THREAD else group_number()
        return Named.called(self.value, number)

    def __str__(self) -> str:
        return self.value


def group_number() -> int:
    """The group sentinel of this kernel; the new number where it takes none, or both."""
    taken = [number for number, error in features.group_sentinels().items() if not error]
    return taken[0] if len(taken) == 1 else PIDFD_SELF_THREAD_GROUP


def numbers_beside() -> list[int]:
    """Negative numbers that no kernel takes for a sentinel, or not this one.

    Those behind the sentinels are reserved for other purposes (``include/uapi/linux/fcntl.h``).
    """
    other = {PIDFD_SELF_THREAD_GROUP, PIDFD_SELF_THREAD_GROUP_V6_15} - {group_number()}
    around = [PIDFD_SELF_THREAD + 1, *range(-10002, -10011, -1), -19999, -20001]
    return [-1, AT_FDCWD, *around, *other, -(1 << 31)]


def _advise(number: int) -> None:
    memory.drop_first_page(number)


TAKERS: dict[str, Call] = {
    "pidfd_send_signal": lambda number: syscalls.pidfd_send_signal(number, 0),
    "process_madvise": _advise,
    "process_mrelease": syscalls.process_mrelease,
}
"""The calls that take a sentinel, each harmless to a caller that goes on living."""

TAKEN = {"pidfd_send_signal": "done", "process_madvise": "done", "process_mrelease": "EINVAL"}
"""What each of `TAKERS` says to a sentinel: only a dying process can be released by the last."""


def answers(call: Call, numbers: Iterable[int]) -> dict[int, str]:
    """What `call` says to each of `numbers`, of which only the unexpected are worth a line."""
    found = {number: answer(call, number) for number in numbers}
    journal.record("kernel", f"says {found}")
    return found


def answers_to_caller(call: Call, sentinel: Sentinel) -> dict[str, str]:
    """What `call` says to `sentinel`, and to a real pidfd of the calling process."""
    with Pidfd.open(os.getpid()) as pidfd:
        numbers = {str(sentinel): sentinel.number, "a pidfd of the caller": pidfd.fileno()}
        return {name: answer(call, number) for name, number in numbers.items()}


def pending(group: ThreadGroup) -> dict[str, set[str]]:
    """The signals in each queue of a group that has any: its threads' own, and ``the group``."""
    queues: dict[str, set[int]] = {}
    for thread in group.threads:
        queues[thread.role], queues["the group"] = procfs.pending_signals(group.pid, thread.tid)
    named = {role: set(map(signal_name, signals)) for role, signals in queues.items() if signals}
    journal.record(group, f"has pending signals: {named}")
    return named
