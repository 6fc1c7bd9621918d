"""Whom a signal by pidfd reaches: living, ended, recycled, foreign, and what is no process."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from signal import NSIG, SIGCONT, SIGKILL, SIGSTOP, SIGUSR1

import pytest

from helpers import (
    clone,
    features,
    features_process,
    features_targets,
    procfs,
    reaping,
    signals,
    sleepers,
    targets,
)
from helpers.descriptor import Descriptor
from helpers.expect import refused
from helpers.gating import needs
from helpers.info import Exited, Killed
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.signals import SigInfo, send
from helpers.targets import NotAPidfd
from helpers.uapi import INT_MAX, SI_USER, PidfdFlag

pytestmark = needs(features.PIDFD_OPEN, features_process.SEND_SIGNAL)


def by_pidfd(pid: int) -> Descriptor:
    """A pidfd of the process."""
    return Pidfd.open(pid)


def by_thread(pid: int) -> Descriptor:
    """A pidfd of the leader as a thread."""
    return Pidfd.open(pid, PidfdFlag.THREAD)


Opener = Callable[[int], Descriptor]
REAL = [
    pytest.param(by_pidfd, id="pidfd"),
    pytest.param(by_thread, id="thread pidfd", marks=needs(features.PIDFD_THREAD)),
]
ALL = pytest.mark.parametrize(
    "opened", [*REAL, pytest.param(targets.process_directory, id="/proc directory")]
)


def test_a_process_directory_is_as_good_as_a_pidfd(target: ThreadGroup) -> None:
    """A signal by a descriptor of /proc/PID goes to the process, with the same siginfo.

    Port of send_signal_syscall_support and send_signal_simple_success (pidfd_test.c), which sends
    to itself and looks at the number of the signal alone.
    """
    with targets.process_directory(target.pid) as directory:
        send(directory, SIGUSR1)
    due = SigInfo(SIGUSR1, SI_USER, os.getpid(), os.getuid())
    assert target.leader.call(signals.take, SIGUSR1) == due


def test_a_process_signals_itself(target: ThreadGroup) -> None:
    """A pidfd of the sender brings the signal to the sender.

    Port of send_signal_simple_success (pidfd_test.c), which has no real pidfd in it.
    """
    target.leader.call(send, target.pidfd(), SIGUSR1)
    due = SigInfo(SIGUSR1, SI_USER, target.pid, os.getuid())
    assert target.leader.call(signals.take, SIGUSR1) == due


@ALL
def test_signal_0_asks_and_sends_nothing(opened: Opener, target: ThreadGroup) -> None:
    """Signal 0 tells whether the process is there.

    Port of send_signal_syscall_support (pidfd_test.c).
    """
    send(opened(target.pid), 0)
    assert procfs.pending_signals(target.pid) == (set(), set())


@ALL
def test_a_zombie_takes_signals_and_stays_as_it_ended(opened: Opener, child: ThreadGroup) -> None:
    """A process is there until it is reaped; a signal to a zombie succeeds and does nothing.

    Beyond the C suite.
    """
    held = opened(child.pid)
    child.leader.exit_group(42)
    send(held, 0)
    send(held, SIGKILL)
    assert child.reap() == Exited(42)


@ALL
@pytest.mark.parametrize("number", [0, SIGKILL], ids=["0", "SIGKILL"])
def test_a_reaped_process_is_gone(number: int, opened: Opener, child: ThreadGroup) -> None:
    """ESRCH once the process is reaped.

    Port of send_signal_exited_fail (pidfd_test.c), which knows the /proc directory alone.
    """
    held = opened(child.pid)
    child.kill()
    child.reap()
    with refused(errno.ESRCH):
        send(held, number)


@needs(features_process.PID_NAMESPACE, features_process.CLONE3, features_process.SET_TID)
@ALL
def test_a_recycled_pid_is_not_the_process_that_had_it(opened: Opener) -> None:
    """A pidfd never stands for a later process of the same number.

    Port of send_signal_recycled_pid_fail (pidfd_test.c). Its 32768 forks do not come round since
    a new pid namespace has a limit of its own, v6.14, and the test skips itself. Here the number
    is asked for by ``set_tid``.
    """
    leader = features_process.pid_1().leader
    number = 1000
    first = leader.call(clone.process_with_pid, number)
    held = opened(procfs.outer_pid(leader.group.pid, number))
    first.pidfd.send_signal(SIGKILL)
    assert leader.call(reaping.reap, number) == Killed(SIGKILL)
    second = leader.call(clone.process_with_pid, number)
    assert second.tid == first.tid
    for old in (held, first.pidfd):
        with refused(errno.ESRCH):
            leader.call(send, old, SIGKILL)
    leader.call(send, second.pidfd, 0)


@pytest.mark.parametrize("kind", features_targets.kinds())
def test_what_is_no_pidfd_is_refused(kind: NotAPidfd) -> None:
    """EBADF for every other descriptor; of those in /proc only /proc/PID will do.

    Beyond the C suite.
    """
    with targets.make(kind) as file:
        with refused(errno.EBADF):
            send(file, 0)


@pytest.mark.parametrize("number", [-1, NSIG, INT_MAX], ids=["-1", "first too high", "highest"])
def test_a_number_that_is_no_signal_is_invalid(number: int, child: ThreadGroup) -> None:
    """Numbers below 0, and those behind the last real-time signal, give EINVAL.

    Beyond the C suite.
    """
    with refused(errno.EINVAL):
        child.pidfd().send_signal(number)


def test_a_process_is_stopped_and_continued(child: ThreadGroup) -> None:
    """SIGSTOP by pidfd stops the process, SIGCONT lets it go on.

    Port of wait_states (pidfd_wait.c), in which the child stops itself.
    """
    pidfd = child.pidfd()
    pidfd.send_signal(SIGSTOP)
    sleepers.await_state(pidfd, os.WSTOPPED)
    assert procfs.task_state(child.pid) == "T"
    pidfd.send_signal(SIGCONT)
    assert child.leader.call(os.getpid) == child.pid


@needs(features_process.USER_CHANGE)
@pytest.mark.parametrize("number", [0, SIGUSR1, SIGKILL], ids=["0", "SIGUSR1", "SIGKILL"])
def test_a_process_of_another_user_is_not_signalled(number: int, target: ThreadGroup) -> None:
    """EPERM, signal 0 included; the pidfd itself gives no right.

    Beyond the C suite.
    """
    other = features_process.ordinary_user()
    with refused(errno.EPERM):
        other.leader.call(send, target.pidfd(), number)
    assert target.leader.call(os.getpid) == target.pid
    assert procfs.pending_signals(target.pid) == (set(), set())


@needs(features_process.USER_CHANGE)
def test_sigcont_passes_to_another_user_within_the_session(
    target: ThreadGroup,
) -> None:
    """SIGCONT, for job control, needs no right over a process of the same session.

    From another session it does. Beyond the C suite.
    """
    other = features_process.ordinary_user()
    other.leader.call(send, target.pidfd(), SIGCONT)
    other.leader.call(os.setsid)
    with refused(errno.EPERM):
        other.leader.call(send, target.pidfd(), SIGCONT)


@needs(features_process.FOREIGN_PROCESS)
def test_an_ordinary_user_does_not_signal_the_first_process() -> None:
    """EPERM towards root's process.

    Beyond the C suite.
    """
    with refused(errno.EPERM):
        features_process.ordinary_user().leader.call(send, Pidfd.open(1), 0)


@needs(features_process.USER_CHANGE, features_process.KERNEL_THREAD_RIGHTS)
@ALL
def test_a_kernel_thread_ignores_what_root_sends_it(opened: Opener) -> None:
    """A kernel thread has a pidfd, and a signal to it succeeds and is ignored.

    232590ea7fc1 ('Revert "pidfd: prevent creation of pidfds for kthreads"'), v6.11. To an
    ordinary user it is root's process: EPERM. Beyond the C suite.
    """
    held = opened(features_process.KERNEL_THREAD)
    send(held, SIGUSR1)
    assert procfs.pending_signals(features_process.KERNEL_THREAD) == (set(), set())
    with refused(errno.EPERM):
        features_process.ordinary_user().leader.call(send, held, SIGUSR1)


@needs(features_process.PID_NAMESPACE)
@ALL
def test_a_signaller_outside_the_pid_namespace_is_refused(
    opened: Opener, target: ThreadGroup
) -> None:
    """A pidfd that came from outside the sender's pid namespace does not reach out: EINVAL.

    Beyond the C suite.
    """
    inside = features_process.pid_1()
    with refused(errno.EINVAL):
        inside.leader.call(send, opened(target.pid), SIGUSR1)
    assert procfs.pending_signals(target.pid) == (set(), set())


@needs(features_process.PID_NAMESPACE)
def test_a_signaller_in_a_sibling_pid_namespace_is_refused() -> None:
    """Two pid namespaces side by side do not reach each other, number 1 or not: EINVAL.

    Beyond the C suite.
    """
    one, other = features_process.pid_1(), features_process.pid_1()
    with refused(errno.EINVAL):
        one.leader.call(send, other.pidfd(), 0)


@needs(features_process.PID_NAMESPACE)
def test_a_signaller_above_the_pid_namespace_ends_its_first_process() -> None:
    """From above the first process is one like any other: SIGKILL ends it.

    Beyond the C suite.
    """
    inside = features_process.pid_1()
    inside.pidfd().send_signal(SIGKILL)
    assert inside.reap() == Killed(SIGKILL)


@needs(features_process.PID_NAMESPACE)
def test_the_first_process_of_a_pid_namespace_does_not_end_itself() -> None:
    """SIGKILL from inside leaves the first process as it is.

    Beyond the C suite.
    """
    inside = features_process.pid_1()
    inside.leader.call(send, inside.pidfd(), SIGKILL)
    assert inside.leader.call(os.getpid) == 1
