"""Features of opening, cloning, signalling, polling and waiting; see `helpers.features`."""

from __future__ import annotations

import errno
import os
import resource
import signal

from helpers import (
    autoreap,
    clone,
    credentials,
    memory,
    process,
    procfs,
    rights,
    signals,
    syscalls,
    victims,
)
from helpers.features import (
    Absent,
    Feature,
    Forbidden,
    Present,
    Verdict,
    errno_of,
    judge,
    namespace_probe,
    open_probe,
    where,
)
from helpers.kernel import Version
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.uapi import MADV_COLD, P_PIDFD, SI_USER, CloneFlag, PidfdFlag, PollEvent, SignalFlag
from helpers.words import errno_name


def _probe_send_signal() -> Verdict:
    error = errno_of(lambda: syscalls.pidfd_send_signal(-1, 0))
    if error == errno.EBADF:
        return Present()
    return judge(error, "pidfd_send_signal(-1, 0)", (errno.ENOSYS,))


def _probe_scopes() -> Verdict:
    with Pidfd.open(os.getpid()) as pidfd:
        error = errno_of(lambda: pidfd.send_signal(0, SignalFlag.THREAD_GROUP))
    return judge(error, "pidfd_send_signal(self, 0, THREAD_GROUP)", (errno.EINVAL,))


def _probe_queue() -> Verdict:
    child = process.spawn(role="probe")
    child.leader.call(signals.block, signal.SIGUSR1)
    found = child.leader.call(signals.kill_thread, signal.SIGUSR1)
    if (found.code, found.pid) != (SI_USER, 0):  # what is told of a signal without a siginfo
        return Present()
    limit = resource.getrlimit(resource.RLIMIT_SIGPENDING)[0]
    return Forbidden(f"none of our {limit} places is free (RLIMIT_SIGPENDING, ulimit -i)")


def _probe_wait() -> Verdict:
    with Pidfd.open(os.getpid()) as pidfd:
        error = errno_of(lambda: os.waitid(P_PIDFD, pidfd.fileno(), os.WEXITED | os.WNOHANG))
    if error == errno.ECHILD:
        return Present()
    return judge(error, "waitid(P_PIDFD, self)", (errno.EINVAL,))


def _probe_hup() -> Verdict:
    child = process.spawn(role="probe")
    with child.pidfd() as pidfd:
        child.kill()
        child.reap()
        events = pidfd.poll()
    due = PollEvent.IN | PollEvent.HUP
    return Present() if events == due else Absent(f"poll says {events} of a reaped process")


def _probe_clone3() -> Verdict:
    # Flags that the kernel refuses before it makes anything; in a child, should it not.
    child = process.spawn(role="probe")
    error = errno_of(lambda: child.leader.call(autoreap.ask, CloneFlag.DETACHED))
    if error == errno.EINVAL:
        return Present()
    return judge(error, "clone3 of nothing", (errno.ENOSYS,))


def _probe_into_cgroup() -> Verdict:
    maker = process.spawn(role="probe")
    error = errno_of(lambda: maker.leader.call(clone.process_into_no_cgroup))
    if error == errno.EBADF:
        return Present()
    if not error:
        return Absent("clone3(CLONE_INTO_CGROUP) is done with a descriptor that is of no cgroup")
    return judge(error, "clone3(CLONE_INTO_CGROUP)", (errno.EINVAL, errno.E2BIG, errno.ENOSYS))


def _probe_bare_thread() -> Verdict:
    maker = process.spawn(role="probe")
    error = errno_of(lambda: maker.leader.call(clone.thread_without_pidfd))
    if error == errno.EINVAL:  # as musl's does
        return Forbidden("this C library's clone() makes no threads")
    return judge(error, "clone(CLONE_THREAD)", ())


def _probe_thread() -> Verdict:
    maker = process.spawn(role="probe")
    error = errno_of(lambda: maker.leader.call(clone.thread).pidfd.close())
    return judge(error, "clone(CLONE_PIDFD|CLONE_THREAD)", (errno.EINVAL,))


def pid_1() -> ThreadGroup:
    """A child that is the first process of a new pid namespace, with every right in it.

    Raises ``OSError`` where namespaces are refused.
    """
    return process.spawn(alone(), "pid 1")


def alone() -> CloneFlag:
    """The namespaces in which a child has pids of its own and every right over them."""
    return CloneFlag.NEWPID | (CloneFlag.NONE if os.geteuid() == 0 else CloneFlag.NEWUSER)


def _probe_set_tid() -> Verdict:
    maker = pid_1()
    error = errno_of(lambda: maker.leader.call(clone.process_with_pid, 100).pidfd.close())
    return judge(error, "clone3 with set_tid", (errno.E2BIG, errno.EINVAL, errno.ENOSYS))


def _probe_last_pid() -> Verdict:
    error = errno_of(lambda: pid_1().leader.call(victims.choose_next_pid, 100))
    if error == errno.ENOENT:
        return Absent("there is no /proc/sys/kernel/ns_last_pid")
    if error == errno.EROFS:
        return Forbidden("/proc/sys is mounted read-only")
    return judge(error, "a write to /proc/sys/kernel/ns_last_pid", ())


def _probe_user_change() -> Verdict:
    child = process.spawn(role="probe")
    error = errno_of(lambda: child.leader.call(rights.become, rights.OTHER_USER))
    if error in (errno.EPERM, errno.EINVAL):
        return Forbidden(
            f"setgroups or setresuid gives {errno_name(error)}: not root, or an unmapped id"
        )
    obstacle = credentials.obstacle_to_end(child.pid)
    return Forbidden(obstacle) if obstacle else judge(error, "setresuid", ())


def ordinary_user() -> ThreadGroup:
    """A child without root's rights: of another user where we are root, else of our own."""
    child = process.spawn(role="ordinary user")
    if os.geteuid() == 0:
        child.leader.call(rights.become, rights.OTHER_USER)
    return child


def _probe_foreign_process() -> Verdict:
    sender = ordinary_user()
    try:
        owners = procfs.ids(1)[0]
    except OSError as error:
        return Forbidden(f"the first process is not to be seen ({error}), as hidepid has it")
    if procfs.ids(sender.pid)[0].real in owners:
        unless = "" if owners.real != rights.OTHER_USER else ", or of one without a number here"
        return Forbidden(f"the first process is of our own user, {owners.real}{unless}")
    return Present()


def _probe_kernel_thread() -> Verdict:
    try:
        fields = procfs.status(KERNEL_THREAD)
    except OSError:
        return Forbidden(f"no process {KERNEL_THREAD} is to be seen here: a pid namespace")
    # Kernel threads have no memory of their own; init made the first of them before itself.
    if fields["PPid"] == "0" and "VmSize" not in fields:
        return Present()
    return Forbidden(f"process {KERNEL_THREAD} is no kernel thread here: a pid namespace")


def _probe_kernel_thread_rights() -> Verdict:
    try:
        os.readlink(f"/proc/{KERNEL_THREAD}/ns/user")
    except OSError as error:
        return Forbidden(f"its namespaces are not to be seen ({error.strerror})")
    return _probe_kernel_thread()


def _probe_advice() -> Verdict:
    child = process.spawn(role="probe")
    page = child.leader.call(memory.write_page)
    with child.pidfd() as pidfd:
        error = errno_of(lambda: memory.advise(pidfd, page, MADV_COLD))
    if error == errno.EPERM:
        return Forbidden("process_madvise of another process gives EPERM: no CAP_SYS_NICE")
    return judge(error, "process_madvise(MADV_COLD) of a child", (errno.ENOSYS,))


def _probe_own_advice() -> Verdict:
    with Pidfd.open(os.getpid()) as pidfd:
        error = errno_of(lambda: memory.drop_first_page_by(pidfd))
    return judge(error, "process_madvise(MADV_DONTNEED) of oneself", (errno.EINVAL, errno.ENOSYS))


def _probe_advice_check() -> Verdict:
    call = "process_madvise(-1) of no memory"
    with Pidfd.open(os.getpid()) as pidfd:
        error = errno_of(lambda: syscalls.process_madvise_ranges(pidfd.fileno(), [], -1))
    if not error:
        return Absent(f"{call} is done")
    return Present() if error == errno.EINVAL else judge(error, call, (errno.ENOSYS,))


KERNEL_THREAD = 2
"""``kthreadd``, the parent of all kernel threads, where the first pid namespace is ours."""

SEND_SIGNAL = Feature("pidfd_send_signal(2)", Version(5, 1), _probe_send_signal)
SIGNAL_SCOPES = Feature("PIDFD_SIGNAL_THREAD and its like", Version(6, 9), _probe_scopes)
SIGNAL_QUEUE = Feature("room in the queue of signals", Version(2, 6), _probe_queue)
NONBLOCK = Feature(
    "PIDFD_NONBLOCK", Version(5, 10), lambda: open_probe(PidfdFlag.NONBLOCK, errno.EINVAL)
)
WAIT = Feature("waitid(P_PIDFD)", Version(5, 4), _probe_wait)
POLL_HUP = Feature("POLLHUP of a reaped process", Version(6, 9), _probe_hup, rule=True)
CLONE3 = Feature("clone3(2)", Version(5, 3), _probe_clone3)
INTO_CGROUP = Feature("CLONE_INTO_CGROUP", Version(5, 7), _probe_into_cgroup, ("CGROUPS",))
BARE_THREADS = Feature("threads that run no Python", Version(2, 6), _probe_bare_thread)
CLONE_THREAD_PIDFD = Feature(
    "CLONE_PIDFD with CLONE_THREAD", Version(6, 9), where(BARE_THREADS, _probe_thread)
)
PID_NAMESPACE = Feature(
    "pid namespaces", Version(3, 8), lambda: namespace_probe(alone()), ("PID_NS",)
)
SET_TID = Feature(
    "clone3(2) with set_tid", Version(5, 5), where(PID_NAMESPACE, _probe_set_tid), ("PID_NS",)
)
LAST_PID = Feature(
    "/proc/sys/kernel/ns_last_pid",
    Version(3, 3),
    where(PID_NAMESPACE, _probe_last_pid),
    ("CHECKPOINT_RESTORE", "PID_NS"),
)
USER_CHANGE = Feature("a change to another user", Version(2, 6), _probe_user_change)
FOREIGN_PROCESS = Feature(
    "a process of another user",
    Version(2, 6),
    where(USER_CHANGE, _probe_foreign_process) if os.geteuid() == 0 else _probe_foreign_process,
)
FIRST_KERNEL_THREAD = Feature("a kernel thread in sight", Version(2, 6), _probe_kernel_thread)
KERNEL_THREAD_RIGHTS = Feature(
    "rights over a kernel thread", Version(3, 8), _probe_kernel_thread_rights, ("NAMESPACES",)
)
ADVICE = Feature(
    "process_madvise(2) of another process", Version(5, 10), _probe_advice, ("ADVISE_SYSCALLS",)
)
OWN_ADVICE = Feature(
    "every advice by a pidfd of oneself",
    Version(6, 13),
    _probe_own_advice,
    ("ADVISE_SYSCALLS",),
    rule=True,
)
# Between v6.13 and v7.2 nobody looks at advice for oneself that is about nothing.
ADVICE_CHECK = Feature(
    "the check of advice on no memory",
    Version(7, 2),
    _probe_advice_check,
    ("ADVISE_SYSCALLS",),
    rule=True,
)
