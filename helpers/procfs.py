"""What /proc says of tasks."""

from __future__ import annotations

import os

from helpers.info import Ids, signal_number


def task_state(pid: int, tid: int | None = None) -> str | None:
    """State letter of a task (``Z`` for a zombie), None once it is gone.

    Source: proc(5), third field of ``/proc/PID/task/TID/stat``.
    """
    try:
        with open(f"/proc/{pid}/task/{tid or pid}/stat", "rb") as file:
            line = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name before it may hold blanks and parentheses.
    return line.rpartition(b")")[2].split()[0].decode()


_STATES = {"R": "running", "S": "asleep", "D": "asleep and not to be disturbed", "T": "stopped",
           "t": "stopped by a tracer", "Z": "a zombie", "X": "being reaped"}  # fmt: skip


def told_state(pid: int, tid: int | None = None) -> str:
    """`task_state` in words."""
    state = task_state(pid, tid)
    return "it is gone" if state is None else f"it is {_STATES.get(state, state)}"


def told_threads(pid: int) -> str:
    """The threads of a process that are left, and the signals that are pending on it."""
    try:
        tids = sorted(map(int, os.listdir(f"/proc/{pid}/task")))
        signals = pending_signals(pid)[1]
    except OSError:
        return "none"
    return f"{tids}" + (f", pending signals {signals}" if signals else "")


def status(pid: int | str, tid: int | str | None = None) -> dict[str, str]:
    """Fields of ``/proc/PID/status``, or of one task's; raises ``OSError`` once it is gone."""
    where = f"/proc/{pid}/status" if tid is None else f"/proc/{pid}/task/{tid}/status"
    with open(where, encoding="utf-8", errors="replace") as file:
        pairs = (line.partition(":") for line in file)
        return {key: value.strip() for key, _, value in pairs}


def is_traced(pid: int, tid: int) -> bool:
    """Whether somebody traces a task; nobody does once it is gone."""
    try:
        return status(pid, tid)["TracerPid"] != "0"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ids(pid: int, tid: int | None = None) -> tuple[Ids, Ids]:
    """User and group ids of a process, or of one task: real, effective, saved, filesystem."""
    return ids_in(status(pid, tid))


def ids_in(fields: dict[str, str]) -> tuple[Ids, Ids]:
    """`ids` in what `status` has read."""
    users, groups = (Ids(*map(int, fields[key].split())) for key in ("Uid", "Gid"))
    return users, groups


def overflow_ids() -> tuple[Ids, Ids]:
    """What ids are told as to a user namespace that has no numbers for them."""
    numbers = []
    for name in ("overflowuid", "overflowgid"):
        with open(f"/proc/sys/kernel/{name}", encoding="ascii") as file:
            numbers.append(int(file.read()))
    users, groups = (Ids(*[number] * 4) for number in numbers)
    return users, groups


def inner_tids(pid: int) -> dict[int, int]:
    """Thread ids of a process as its own pid namespace numbers them, to ours."""
    tasks = (int(name) for name in os.listdir(f"/proc/{pid}/task"))
    return {int(status(pid, tid)["NSpid"].split()[-1]): tid for tid in tasks}


def own_descriptors() -> set[int]:
    """Numbers of the descriptors that are open in this process."""
    return {int(name) for name in os.listdir("/proc/self/fd")}


def outer_pid(parent: int, inner: int) -> int:
    """The number in our pid namespace of that child which its own knows as `inner`."""
    found = {int(status(pid)["NSpid"].split()[-1]): pid for pid in children(parent)}
    return found[inner]


def pending_signals(pid: int, tid: int | None = None) -> tuple[set[int], set[int]]:
    """Signals pending on one thread and on its thread group."""
    fields = status(pid, tid or pid)
    return signal_set(fields["SigPnd"]), signal_set(fields["ShdPnd"])


def signal_set(mask: str) -> set[int]:
    """The signals in a hexadecimal mask of ``/proc/PID/status``, which print by their names."""
    bits = int(mask, 16)
    return {signal_number(number) for number in range(1, 65) if bits >> (number - 1) & 1}


def current_syscall(pid: int | str, tid: int) -> int | None:
    """Number of the system call that a task sleeps in; None while it runs, or is not told.

    Source: proc(5), ``/proc/PID/task/TID/syscall``.
    """
    try:
        with open(f"/proc/{pid}/task/{tid}/syscall", "rb") as file:
            first = file.read().split()[0]
    except (OSError, IndexError):
        return None
    return int(first) if first.isdigit() else None


def open_pidfds(pid: int) -> int:
    """How many pidfds a process holds."""
    links = (os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd"))
    return sum(link.startswith(("anon_inode:[pidfd]", "pidfd:")) for link in links)


def children(pid: int | str = "self") -> set[int]:
    """Children of every thread of a process.

    All of /proc is read where the kernel keeps no list (CONFIG_PROC_CHILDREN).
    """
    found: set[int] = set()
    try:
        for tid in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{tid}/children", encoding="ascii") as file:
                found.update(map(int, file.read().split()))
    except FileNotFoundError:
        parent = str(os.getpid() if pid == "self" else pid)
        return {int(name) for name in os.listdir("/proc") if _parent_of(name) == parent}
    return found


def _parent_of(name: str) -> str | None:
    if not name.isdigit():
        return None
    try:
        return status(name)["PPid"]
    except OSError:
        return None
