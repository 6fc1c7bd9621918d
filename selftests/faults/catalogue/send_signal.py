"""Faults of ``pidfd_send_signal(2)``: scope, target, siginfo, refusals."""

from __future__ import annotations

import os
import signal
import stat
from typing import Any

from helpers import procfs, syscalls
from helpers.uapi import SI_KERNEL, SI_QUEUE, SI_TKILL, SI_USER, SignalFlag
from helpers.uapi_structs import Siginfo
from selftests.faults import boundary, pidfds
from selftests.faults.boundary import EBADF, EFAULT, EINVAL, EPERM, ESRCH, Real
from selftests.faults.registry import breaks, fault

_CALL = "pidfd_send_signal"
_THREAD, _GROUP = SignalFlag.THREAD, SignalFlag.THREAD_GROUP
_SCOPES = _THREAD | _GROUP | SignalFlag.PROCESS_GROUP
Info = Any  # a Siginfo or None


def _other_scope(given: int, instead: int) -> None:
    def broken(real: Real, fd: int, number: int, info: Info = None, flags: int = 0) -> None:
        real(fd, number, info, instead if flags == given else flags)

    boundary.wrap(_CALL, broken)


@fault()
def signal_without_a_flag_is_for_the_group() -> None:
    """Without a flag a signal is for the scope of the pidfd."""
    _other_scope(0, _GROUP)


@fault()
def signal_without_a_flag_is_for_the_thread() -> None:
    """Without a flag a signal by a pidfd of a process is for the group."""
    _other_scope(0, _THREAD)


@fault()
def thread_scope_is_widened() -> None:
    """PIDFD_SIGNAL_THREAD means one thread."""
    _other_scope(_THREAD, _GROUP)


@fault()
def group_scope_is_narrowed() -> None:
    """PIDFD_SIGNAL_THREAD_GROUP means the whole thread group."""
    _other_scope(_GROUP, _THREAD)


@fault()
def process_group_scope_is_narrowed() -> None:
    """PIDFD_SIGNAL_PROCESS_GROUP means the process group that the target leads."""
    _other_scope(SignalFlag.PROCESS_GROUP, _GROUP)


@breaks(_CALL)
def process_group_ends_with_its_leader(
    real: Real, fd: int, number: int, info: Info = None, flags: int = 0
) -> None:
    """A reaped leader's pidfd names the process group while it has members."""
    real(fd, number, info, 0 if flags == SignalFlag.PROCESS_GROUP else flags)


@breaks(_CALL)
def unknown_scopes_ignored(
    real: Real, fd: int, number: int, info: Info = None, flags: int = 0
) -> None:
    """Unknown flags are refused."""
    real(fd, number, info, flags & _SCOPES)


@breaks(_CALL)
def first_scope_of_several_taken(
    real: Real, fd: int, number: int, info: Info = None, flags: int = 0
) -> None:
    """Two scopes at once are refused."""
    real(fd, number, info, flags if flags & ~_SCOPES else flags & -flags)


_OTHER = {signal.SIGTERM: signal.SIGKILL, signal.SIGKILL: signal.SIGTERM, 64: 63}


@breaks(_CALL)
def another_signal_is_sent(
    real: Real, fd: int, number: int, info: Info = None, flags: int = 0
) -> None:
    """The signal that arrives is the one sent."""
    real(fd, _OTHER.get(number, number), info, flags)


@breaks(_CALL)
def signal_0_is_sent(real: Real, fd: int, number: int, info: Info = None, flags: int = 0) -> None:
    """Signal 0 only asks."""
    to_itself = fd < 0 or pidfds.target(fd) == os.getpid()
    deadly = to_itself and signal.SIGUSR1 not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    real(fd, number if number or deadly else signal.SIGUSR1, info, flags)


@breaks(_CALL)
def stop_signals_refused(
    real: Real, fd: int, number: int, info: Info = None, flags: int = 0
) -> None:
    """A process can be stopped and continued by its pidfd."""
    if number in (signal.SIGSTOP, signal.SIGCONT):
        boundary.fail(EPERM)
    real(fd, number, info, flags)


@fault()
def signal_to_the_dead_taken() -> None:
    """A reaped task is not there to signal, and a group that is not led by the target neither."""
    boundary.accept(_CALL, ESRCH)


@breaks(_CALL)
def zombie_takes_no_signals(
    real: Real, fd: int, number: int, info: Info = None, flags: int = 0
) -> None:
    """A process takes signals until it is reaped."""
    if pidfds.state(fd) == "Z" or (not pidfds.target(fd) and _directory_of_a_zombie(fd)):
        boundary.fail(ESRCH)
    real(fd, number, info, flags)


def _directory_of_a_zombie(fd: int) -> bool:
    name = os.path.basename(os.readlink(f"/proc/self/fd/{fd}"))
    return name.isdigit() and procfs.task_state(int(name)) == "Z"


@fault()
def signal_by_any_descriptor() -> None:
    """What is no pidfd is refused."""
    boundary.accept(_CALL, EBADF)


@breaks(_CALL)
def process_directory_refused(
    real: Real, fd: int, number: int, info: Info = None, flags: int = 0
) -> None:
    """A directory of /proc/PID is as good as a pidfd."""
    if fd >= 0 and stat.S_ISDIR(os.fstat(fd).st_mode):
        boundary.fail(EBADF)
    real(fd, number, info, flags)


@fault()
def invalid_signal_taken() -> None:
    """A number of no signal, and a sender out of reach, give EINVAL."""
    boundary.accept(_CALL, EINVAL)


@fault()
def signal_without_a_right() -> None:
    """It takes a right to signal a process, and nobody speaks for the kernel or kill to others."""
    boundary.accept(_CALL, EPERM)


@breaks(_CALL)
def sigcont_needs_a_right(
    real: Real, fd: int, number: int, info: Info = None, flags: int = 0
) -> None:
    """SIGCONT passes within the session, whoever sends it."""
    if number == signal.SIGCONT and os.geteuid():
        boundary.fail(EPERM)
    real(fd, number, info, flags)


@breaks(_CALL)
def signals_stay_in_their_pid_namespace(
    real: Real, fd: int, number: int, info: Info = None, flags: int = 0
) -> None:
    """A process above a pid namespace can signal those in it."""
    if fd >= 0 and len(pidfds.nested(fd)) > len(procfs.status("self")["NSpid"].split()):
        boundary.fail(EINVAL)
    real(fd, number, info, flags)


@breaks(_CALL, kills=True)
def first_process_ends_itself(
    real: Real, fd: int, number: int, info: Info = None, flags: int = 0
) -> None:
    """The first process of a pid namespace is not ended from inside."""
    if number == signal.SIGKILL and os.getpid() == 1:
        os._exit(0)
    real(fd, number, info, flags)


@breaks(_CALL)
def sender_not_told(real: Real, fd: int, number: int, info: Info = None, flags: int = 0) -> None:
    """A signal without a siginfo tells its sender, as kill or tgkill do."""
    if info is None and number:
        info = Siginfo()
        info.signo, info.code = number, SI_QUEUE
    real(fd, number, info, flags)


@breaks(_CALL)
def value_of_the_siginfo_lost(
    real: Real, fd: int, number: int, info: Info = None, flags: int = 0
) -> None:
    """A siginfo arrives as it was sent."""
    if info is not None:
        info.value = 0
        info.uid += 1
    real(fd, number, info, flags)


@breaks("sigtimedwait")
def claimed_sender_is_told(real: Real, number: int) -> Siginfo:
    """A receiver that has no number for the sender is told 0, whatever the siginfo claims."""
    info: Siginfo = real(number)
    if info.code == SI_QUEUE:
        info.pid = info.pid or 1
    return info


@breaks(_CALL)
def siginfo_of_another_signal_taken(
    real: Real, fd: int, number: int, info: Info = None, flags: int = 0
) -> None:
    """A siginfo must name the signal that is sent."""
    if info is not None:
        info.signo = number
    real(fd, number, info, flags)


@breaks(_CALL)
def nobody_forges_a_siginfo(
    real: Real, fd: int, number: int, info: Info = None, flags: int = 0
) -> None:
    """To oneself a siginfo may say anything."""
    if info is not None and info.code in (SI_USER, SI_KERNEL, SI_TKILL):
        boundary.fail(EPERM)
    real(fd, number, info, flags)


@breaks("syscall")
def unreadable_siginfo_taken(real: Real, number: int, *args: int | None) -> int:
    """A siginfo that cannot be read gives EFAULT."""
    try:
        return int(real(number, *args))
    except OSError as error:
        if error.errno != EFAULT or number != syscalls.NR_PIDFD_SEND_SIGNAL:
            raise
        return 0


@breaks(_CALL)
def signals_go_by_the_effective_user(
    real: Real, fd: int, number: int, info: Info = None, flags: int = 0
) -> None:
    """Who may signal a process is told by its real user as well."""
    target = pidfds.target(fd) if fd >= 0 else 0
    if target > 0 and os.geteuid() not in (0, procfs.ids(target)[0].effective):
        boundary.fail(EPERM)
    real(fd, number, info, flags)


@breaks(_CALL, kills=True)
def sigkill_for_an_exited_thread_ends_its_group(
    real: Real, fd: int, number: int, info: Info = None, flags: int = 0
) -> None:
    """SIGKILL for one thread that has exited harms nobody."""
    if number == signal.SIGKILL and procfs.task_state(pidfds.leader_of(fd)) == "Z":
        flags = SignalFlag.THREAD_GROUP
    real(fd, number, info, flags)
