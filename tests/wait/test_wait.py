"""``waitid(P_PIDFD)``: what it tells."""

from __future__ import annotations

import errno
import os
import signal

import pytest

from helpers import credentials, features, features_process, features_rights, sleepers
from helpers.expect import refused
from helpers.gating import needs
from helpers.info import Exited, Killed, Waited
from helpers.parameters import SCOPES
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.uapi import WALL, PidfdFlag

pytestmark = needs(features_process.WAIT)


def told(child: ThreadGroup, code: int, status: int) -> Waited:
    """What is told of a child of our own user."""
    return Waited(child.pid, os.getuid(), signal.SIGCHLD, status, code)


def wait_for(pidfd: Pidfd, options: int) -> Waited | None:
    """``waitid(P_PIDFD)`` of a child of ours."""
    result = pidfd.waitid(options)
    return result and Waited(*result)


@pytest.mark.parametrize("status", [0, 1, 42, 255])
def test_an_exit_is_told_with_its_status(status: int, child: ThreadGroup) -> None:
    """All fields of the siginfo: who, of which user, how it ended and with what.

    Port of wait_simple (pidfd_wait.c), which takes si_status for a wait status; with the only
    value that it tries, 0, nothing can go wrong.
    """
    pidfd = child.pidfd()
    child.leader.exit_group(status)
    assert wait_for(pidfd, os.WEXITED) == told(child, os.CLD_EXITED, status)


@needs(features_process.SEND_SIGNAL)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_a_death_is_told_with_its_signal(number: int, child: ThreadGroup) -> None:
    """A killed child is told as such, with the signal where an exit has its status.

    Port of wait_states (pidfd_wait.c), which does not look at the signal.
    """
    pidfd = child.pidfd()
    pidfd.send_signal(number)
    child.await_end()
    assert wait_for(pidfd, os.WEXITED) == told(child, os.CLD_KILLED, number)


@needs(features_process.SEND_SIGNAL)
def test_a_stopped_child_that_is_killed_is_told_as_killed(child: ThreadGroup) -> None:
    """SIGKILL needs no SIGCONT before it; the stop that nobody asked for is told no more.

    Port of wait_states (pidfd_wait.c), which does not look at the signal.
    """
    pidfd = child.pidfd()
    pidfd.send_signal(signal.SIGSTOP)
    sleepers.await_state(pidfd, os.WSTOPPED | os.WNOWAIT)
    pidfd.send_signal(signal.SIGKILL)
    child.await_end()
    assert wait_for(pidfd, os.WEXITED | os.WSTOPPED) == told(child, os.CLD_KILLED, signal.SIGKILL)


@needs(features_process.SEND_SIGNAL)
def test_a_stop_and_a_continue_are_told(child: ThreadGroup) -> None:
    """Each is told once, to who asks for it.

    Port of wait_states (pidfd_wait.c), which does not look at the signal, nor whether a state is
    told twice.
    """
    pidfd = child.pidfd()
    pidfd.send_signal(signal.SIGSTOP)
    stopped = told(child, os.CLD_STOPPED, signal.SIGSTOP)
    assert sleepers.await_state(pidfd, os.WSTOPPED) == stopped
    assert pidfd.waitid(os.WSTOPPED | os.WNOHANG) is None
    pidfd.send_signal(signal.SIGCONT)
    continued = told(child, os.CLD_CONTINUED, signal.SIGCONT)
    assert sleepers.await_state(pidfd, os.WCONTINUED) == continued
    assert pidfd.waitid(os.WCONTINUED | os.WNOHANG) is None


@needs(features_process.SEND_SIGNAL)
def test_a_stop_is_not_told_to_who_waits_for_the_end(child: ThreadGroup) -> None:
    """Only the states asked for are told.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    pidfd.send_signal(signal.SIGSTOP)
    sleepers.await_state(pidfd, os.WSTOPPED | os.WNOWAIT)
    assert pidfd.waitid(os.WEXITED | os.WCONTINUED | os.WNOHANG) is None


@needs(features_process.SEND_SIGNAL)
def test_a_stop_that_was_only_looked_at_is_told_again(child: ThreadGroup) -> None:
    """WNOWAIT leaves the state as it is.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    pidfd.send_signal(signal.SIGSTOP)
    first = sleepers.await_state(pidfd, os.WSTOPPED | os.WNOWAIT)
    assert first == wait_for(pidfd, os.WSTOPPED | os.WNOHANG)


def test_an_end_that_was_only_looked_at_is_told_until_it_is_reaped(child: ThreadGroup) -> None:
    """WNOWAIT leaves the zombie; after a wait without it there is no child.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    child.leader.exit_group(3)
    assert (pidfd.peek(), pidfd.peek()) == (Exited(3), Exited(3))
    pidfd.waitid(os.WEXITED)
    with refused(errno.ECHILD):
        pidfd.peek()


@pytest.mark.parametrize("flags", SCOPES)
def test_a_running_child_has_nothing_to_tell(flags: PidfdFlag, child: ThreadGroup) -> None:
    """WNOHANG gives nothing, and no error.

    Port of wait_nonblock (pidfd_wait.c).
    """
    everything = os.WEXITED | os.WSTOPPED | os.WCONTINUED
    assert child.pidfd(flags).waitid(everything | os.WNOHANG) is None


@needs(features.PIDFD_THREAD)
def test_a_thread_pidfd_of_the_leader_reaps_the_process(child: ThreadGroup) -> None:
    """The leader's pidfds of either scope stand for the child that its parent waits for.

    Beyond the C suite.
    """
    pidfd = child.pidfd(PidfdFlag.THREAD)
    child.leader.exit_group(42)
    assert wait_for(pidfd, os.WEXITED) == told(child, os.CLD_EXITED, 42)
    with refused(errno.ECHILD):
        pidfd.peek()


@needs(features.PIDFD_THREAD)
def test_a_subthread_is_nobodys_child(child: ThreadGroup) -> None:
    """There is nothing to wait for by the pidfd of a subthread, running or exited.

    Beyond the C suite.
    """
    subthread = child.spawn_thread()
    pidfd = subthread.pidfd(PidfdFlag.THREAD)
    with refused(errno.ECHILD):
        pidfd.waitid(os.WEXITED | os.WNOHANG | WALL)
    subthread.exit()
    with refused(errno.ECHILD):
        pidfd.waitid(os.WEXITED | os.WNOHANG | WALL)


@pytest.mark.parametrize("flags", SCOPES)
def test_a_leader_that_exited_first_has_not_ended(flags: PidfdFlag, child: ThreadGroup) -> None:
    """A zombie leader is not told while its thread group lives; the group's own end is.

    Port of poll_leader_exit with waitpid (pidfd_test.c), which has no pidfd in it and takes any
    status.
    """
    pidfd, subthread = child.pidfd(flags), child.spawn_thread()
    child.leader.exit(1)
    assert pidfd.peek() is None
    subthread.exit_group(42)
    assert pidfd.peek() == Exited(42)


@pytest.mark.parametrize("flags", SCOPES)
def test_an_exec_by_a_subthread_is_no_end(flags: PidfdFlag, child: ThreadGroup) -> None:
    """The process goes on in the new image, and its parent still waits for the same child.

    Port of poll_exec with waitpid (pidfd_test.c), which has no pidfd in it and takes any status.
    """
    pidfd = child.pidfd(flags)
    child.spawn_thread().exec()
    assert pidfd.peek() is None
    child.kill()
    child.await_end()
    assert pidfd.peek() == Killed(signal.SIGKILL)


@needs(features_rights.OTHER_IDS)
def test_the_real_user_of_the_child_is_told(child: ThreadGroup) -> None:
    """Of the user ids of a child that has several it is the real one.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    child.leader.call(credentials.take, credentials.USERS, credentials.GROUPS)
    child.leader.exit_group()
    result = pidfd.waitid(os.WEXITED)
    assert result is not None
    assert (result.si_pid, result.si_uid) == (child.pid, credentials.USERS.real)
