"""What this kernel can do, and may do here: probed once each, by behaviour.

A version never decides whether a feature is there, since distributions backport. It decides what
its absence means: too old, or lost.
"""

from __future__ import annotations

import errno
import os
import threading
import traceback
from collections.abc import Callable
from functools import cache
from typing import NamedTuple, Union

from helpers import cgroup, descriptor, kernel, process, syscalls
from helpers.expect import names
from helpers.kernel import Version
from helpers.pidfd import Pidfd
from helpers.uapi import (
    PIDFD_SELF_THREAD,
    PIDFD_SELF_THREAD_GROUP,
    PIDFD_SELF_THREAD_GROUP_V6_15,
    CloneFlag,
    InfoMask,
    PidfdFlag,
    PollEvent,
)
from helpers.words import errno_name


class Present(NamedTuple):
    """The kernel has the feature and lets us use it."""


class Absent(NamedTuple):
    """The kernel has it not; `evidence` is what it did instead."""

    evidence: str


class Forbidden(NamedTuple):
    """The feature may be there, but something here does not let us use it."""

    by: str


class Broken(NamedTuple):
    """The kernel has answered the probe's question as neither with the feature nor without it."""

    finding: str


Verdict = Union[Present, Absent, Forbidden, Broken]


class Feature(NamedTuple):
    """Something that tests need.

    `since` is the mainline version that brought it, `config` the options it is built with.
    A `rule` is a change in behaviour that its own tests show when it is lost, better than a
    gate can: they run wherever the kernel is new enough.
    """

    name: str
    since: Version
    probe: Callable[[], Verdict]
    config: tuple[str, ...] = ()
    rule: bool = False


@cache
def verdict(feature: Feature) -> Verdict:
    """Whether `feature` is there, asked of the kernel once."""
    try:
        found = feature.probe()
    except OSError as error:  # on the way to its question
        found = judge(error.errno or 0, _refused_call(error), ())
    except AssertionError as error:  # a deadline, or a child that failed
        found = Broken(f"asking whether it is there: {error}")
    finally:
        process.end_all()
        descriptor.close_all()
    unbuilt = any(kernel.is_configured(option) is False for option in feature.config)
    return Absent(found.finding) if isinstance(found, Broken) and unbuilt else found


def errno_of(action: Callable[[], object]) -> int:
    """The errno of a call that may fail, 0 when it does not."""
    try:
        action()
    except OSError as error:
        return error.errno or 0
    return 0


def where(needed: Feature, probe: Callable[[], Verdict]) -> Callable[[], Verdict]:
    """A probe that uses `needed` on its way, and has that one's answer where it is not there."""

    def ask() -> Verdict:
        found = verdict(needed)
        return probe() if isinstance(found, Present) else found

    return ask


_INSIDE = ("syscall", "_check", "_fail", "_collect", "_receive", "child")


def _refused_call(error: OSError) -> str:
    """The name of the function that stands for the refused system call, or the order to a child."""
    frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    if frames[-1] == "_taken":  # of `Order`, which has put it there
        return str(error.filename)
    return [name for name in frames if name not in _INSIDE][-1]


def judge(error: int, call: str, absent: tuple[int, ...]) -> Verdict:
    """Read the errno of a probe, of which `absent` mean that the feature is not there."""
    if not error:
        return Present()
    name = errno_name(error)
    if error in (errno.ENOSYS, errno.EAFNOSUPPORT) and kernel.filters_calls():
        return Forbidden(f"{call} gives {name}, and a seccomp filter is in force here")
    if error in absent:
        return Absent(f"{call} gives {name}")
    if error in (errno.EPERM, errno.EACCES):
        return Forbidden(f"{call} gives {name}: {kernel.what_forbids()}")
    if error in (errno.ENOSPC, errno.EUSERS, errno.EMFILE):  # the last from inotify and fanotify
        return Forbidden(f"{call} gives {name}: a limit in /proc/sys/user/ is reached or set to 0")
    if error == errno.EROFS:
        return Forbidden(f"{call} gives {name}: /proc is mounted read-only")
    due = f", {names(absent)} if the kernel lacks it" if absent else ""
    return Broken(f"{call} gives {name}, where success was due{due}")


def open_probe(flags: PidfdFlag, absent: int) -> Verdict:
    """Ask for a pidfd of ourselves with `flags`; the errno `absent` tells that they are unknown."""
    error = errno_of(lambda: Pidfd.open(os.getpid(), flags).close())
    return judge(error, f"pidfd_open(self, {flags})", (errno.ENOSYS, absent))


def _probe_get_info() -> Verdict:
    with Pidfd.open(os.getpid()) as pidfd:
        error = errno_of(pidfd.info)
    return judge(error, "PIDFD_GET_INFO on a live process", (errno.ENOTTY, errno.EINVAL))


def _probe_info_exit() -> Verdict:
    child = process.spawn(role="probe")
    with child.pidfd() as pidfd:
        child.kill()
        child.reap()
        error = errno_of(lambda: pidfd.info(InfoMask.EXIT))
        call = "PIDFD_GET_INFO(EXIT) on a reaped process"
        if error:
            return judge(error, call, (errno.ENOTTY, errno.EINVAL, errno.ESRCH))
        answer = pidfd.info(InfoMask.EXIT)
    return Present() if answer.exit else Absent(f"{call} gives {answer!r}")


def _probe_delayed_leader() -> Verdict:
    child = process.spawn(role="probe")
    child.spawn_thread()
    try:
        pidfd = child.pidfd(PidfdFlag.THREAD)
    except OSError as error:
        return judge(error.errno or 0, "pidfd_open(PIDFD_THREAD)", (errno.EINVAL, errno.ENOSYS))
    with pidfd:
        child.leader.exit()
        events = pidfd.poll()
    if events == PollEvent.NONE:
        return Present()
    return Absent(f"poll says {events} of a leader that exited before its subthreads")


def group_sentinels() -> dict[int, int]:
    """Both numberings of the group sentinel, with the errno of signal 0 to each."""
    numbers = (PIDFD_SELF_THREAD_GROUP, PIDFD_SELF_THREAD_GROUP_V6_15)
    return {n: errno_of(lambda n=n: syscalls.pidfd_send_signal(n, 0)) for n in numbers}  # type: ignore[misc]


def _probe_self() -> Verdict:
    error = errno_of(lambda: syscalls.pidfd_send_signal(PIDFD_SELF_THREAD, 0))
    verdict = judge(error, "pidfd_send_signal(PIDFD_SELF_THREAD, 0)", (errno.EBADF, errno.ENOSYS))
    if isinstance(verdict, Present) and all(group_sentinels().values()):
        return Absent("pidfd_send_signal refuses every number of PIDFD_SELF_THREAD_GROUP")
    return verdict


def namespace_probe(flags: CloneFlag) -> Verdict:
    """Whether these namespaces can be made, and whoever is in them has rights over more of them."""
    try:
        child = process.spawn(flags, role="probe")
    except OSError as error:
        return judge(error.errno or 0, f"clone({flags})", (errno.EINVAL,))
    # AppArmor and SELinux may let anyone make a user namespace, and give him no right in it.
    denied = errno_of(lambda: child.leader.call(syscalls.unshare, CloneFlag.NEWNS))
    if denied in (errno.EPERM, errno.EACCES):
        return judge(denied, f"unshare({CloneFlag.NEWNS}) after clone({flags})", ())
    return Present()


def _probe_cgroup() -> Verdict:
    if not os.path.exists("/proc/self/cgroup"):
        return Absent("/proc/self/cgroup is missing")
    child = process.spawn(role="probe")
    try:
        with cgroup.make() as made:
            made.take_in(child)
            untold = errno_of(lambda: made.id)
    except OSError as error:  # not mounted, read-only, no delegation: nobody's fault in the kernel
        return Forbidden(f"none can be made and entered: {error.strerror}")
    if untold:
        call = f"name_to_handle_at gives {errno_name(untold)}"
        return Forbidden(f"{call}, and an inode number of 32 bits is but half of its id")
    return Present()


def _probe_threads() -> Verdict:
    try:
        thread = threading.Thread(target=int)
        thread.start()
    except RuntimeError as error:
        # Its C library falls back to clone(2) on ENOSYS only.
        return Forbidden(
            f"{error}: a limit on processes, or a seccomp filter that refuses clone3(2) with "
            "another errno than ENOSYS"
        )
    thread.join()
    return Present()


def _probe_memory_call(number: int, name: str) -> Verdict:
    """A call that names a descriptor which is not open: EBADF tells that it is there."""
    error = errno_of(lambda: syscalls.syscall(number, -1, 0, 0, 0, 0))
    if error == errno.EBADF or not error:
        return Present()
    return judge(error, f"{name}(-1)", (errno.ENOSYS,))


THREADS = Feature("threads", Version(2, 6), _probe_threads)
PIDFD_OPEN = Feature("pidfd_open(2)", Version(5, 3), lambda: open_probe(PidfdFlag.NONE, -1))
PIDFD_THREAD = Feature(
    "PIDFD_THREAD", Version(6, 9), lambda: open_probe(PidfdFlag.THREAD, errno.EINVAL)
)
GET_INFO = Feature("PIDFD_GET_INFO", Version(6, 13), _probe_get_info)
INFO_EXIT = Feature("PIDFD_INFO_EXIT", Version(6, 15), _probe_info_exit)
DELAYED_LEADER = Feature(
    "no notification of a leader that exits before its subthreads",
    Version(6, 15),
    _probe_delayed_leader,
    rule=True,
)
SELF_SENTINELS = Feature(
    "PIDFD_SELF_THREAD and PIDFD_SELF_THREAD_GROUP", Version(6, 15), _probe_self
)
PROCESS_MADVISE = Feature(
    "process_madvise(2)",
    Version(5, 10),
    lambda: _probe_memory_call(syscalls.NR_PROCESS_MADVISE, "process_madvise"),
    ("ADVISE_SYSCALLS",),
)
PROCESS_MRELEASE = Feature(
    "process_mrelease(2)",
    Version(5, 15),
    lambda: _probe_memory_call(syscalls.NR_PROCESS_MRELEASE, "process_mrelease"),
    ("MMU",),
)
USER_NAMESPACE = Feature(
    "user namespaces",
    Version(3, 8),
    lambda: namespace_probe(CloneFlag.NEWUSER),
    ("USER_NS",),
)
UNPRIVILEGED_PID_NAMESPACE = Feature(
    "pid namespaces made in a user namespace",
    Version(3, 8),
    lambda: namespace_probe(CloneFlag.NEWUSER | CloneFlag.NEWPID),
    ("USER_NS", "PID_NS"),
)
CGROUP = Feature("a cgroup (version 2) for the tests", Version(4, 5), _probe_cgroup, ("CGROUPS",))
