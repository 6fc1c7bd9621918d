"""What a signal by pidfd tells its receiver, and what a sender may pretend."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from signal import SIGUSR1, SIGUSR2

import pytest

from helpers import features, features_process, procfs, signals
from helpers.expect import refused
from helpers.gating import needs
from helpers.process import ThreadGroup
from helpers.signals import SigInfo
from helpers.thread import Thread
from helpers.uapi import (
    SI_ASYNCIO,
    SI_KERNEL,
    SI_QUEUE,
    SI_TKILL,
    SI_USER,
    CloneFlag,
    PidfdFlag,
    SignalFlag,
)

pytestmark = needs(features.PIDFD_OPEN, features_process.SEND_SIGNAL, features_process.SIGNAL_QUEUE)

NONE, PROCESS_GROUP = SignalFlag.NONE, SignalFlag.PROCESS_GROUP
SCOPES = needs(features.PIDFD_THREAD, features_process.SIGNAL_SCOPES)
FORGED = [
    pytest.param(SI_USER, id="SI_USER"),
    pytest.param(SI_KERNEL, id="SI_KERNEL"),
    pytest.param(SI_TKILL, id="SI_TKILL"),
]


@pytest.mark.parametrize(
    ("scope", "flags", "code"),
    [
        pytest.param(PidfdFlag.NONE, NONE, SI_USER, id="process"),
        pytest.param(PidfdFlag.THREAD, NONE, SI_TKILL, id="thread", marks=SCOPES),
        pytest.param(PidfdFlag.NONE, SignalFlag.THREAD, SI_TKILL, id="THREAD", marks=SCOPES),
        pytest.param(
            PidfdFlag.THREAD, SignalFlag.THREAD_GROUP, SI_USER, id="THREAD_GROUP", marks=SCOPES
        ),
        pytest.param(PidfdFlag.THREAD, PROCESS_GROUP, SI_USER, id="PROCESS_GROUP", marks=SCOPES),
    ],
)
def test_a_signal_without_siginfo_tells_its_sender(
    scope: PidfdFlag, flags: SignalFlag, code: int, target: ThreadGroup
) -> None:
    """Sender, its user, and SI_USER as from ``kill``, or SI_TKILL as from ``tgkill`` to a thread.

    Beyond the C suite, which looks at no siginfo.
    """
    target.leader.call(os.setpgid, 0, 0)
    target.pidfd(scope).send_signal(SIGUSR1, flags)
    due = SigInfo(SIGUSR1, code, os.getpid(), os.getuid())
    assert target.leader.call(signals.take, SIGUSR1) == due


@pytest.mark.parametrize("code", [SI_QUEUE, SI_ASYNCIO], ids=["SI_QUEUE", "SI_ASYNCIO"])
def test_a_siginfo_arrives_as_it_was_sent(code: int, target: ThreadGroup) -> None:
    """Value, errno and the sender that it names arrive unchanged, as by ``rt_sigqueueinfo``.

    Beyond the C suite.
    """
    sent = SigInfo(SIGUSR1, code, pid=1234, uid=4321, value=777, errno=errno.EXDEV)
    signals.queue(target.pidfd(), sent)
    assert target.leader.call(signals.take, SIGUSR1) == sent


def test_a_siginfo_of_another_signal_is_invalid(target: ThreadGroup) -> None:
    """``si_signo`` must be the signal that is sent.

    Beyond the C suite.
    """
    with refused(errno.EINVAL):
        signals.queue(target.pidfd(), SigInfo(SIGUSR2), number=SIGUSR1)
    assert procfs.pending_signals(target.pid) == (set(), set())


@pytest.mark.parametrize("code", FORGED)
def test_nobody_pretends_to_be_the_kernel_or_kill_towards_others(
    code: int, target: ThreadGroup
) -> None:
    """Codes of the kernel, of ``kill`` and of ``tgkill`` are EPERM, for root too.

    Beyond the C suite.
    """
    with refused(errno.EPERM):
        signals.queue(target.pidfd(), SigInfo(SIGUSR1, code))
    assert procfs.pending_signals(target.pid) == (set(), set())


@pytest.mark.parametrize("code", FORGED)
def test_a_leader_may_send_itself_any_siginfo(code: int, target: ThreadGroup) -> None:
    """To oneself a siginfo may say anything.

    Beyond the C suite.
    """
    sent = SigInfo(SIGUSR1, code, pid=1234, uid=4321)
    found = target.leader.call(signals.queue_to_self, sent, PidfdFlag.NONE, NONE)
    assert found == sent


@SCOPES
@pytest.mark.parametrize("code", FORGED)
def test_a_subthread_may_send_any_siginfo_to_itself_alone(code: int, subthread: Thread) -> None:
    """Its own thread is oneself; its process, by the process pidfd, is another.

    Beyond the C suite.
    """
    sent = SigInfo(SIGUSR1, code, pid=1234, uid=4321)
    assert subthread.call(signals.queue_to_self, sent, PidfdFlag.THREAD, NONE) == sent
    with refused(errno.EPERM):
        subthread.call(signals.queue_to_self, sent, PidfdFlag.NONE, NONE)


@SCOPES
@pytest.mark.parametrize("code", FORGED)
def test_a_process_group_gets_no_forged_siginfo_from_its_own_leader(
    code: int, target: ThreadGroup
) -> None:
    """A process group is others, even if the sender is its only member: EPERM.

    Beyond the C suite.
    """
    target.leader.call(os.setpgid, 0, 0)
    sent = SigInfo(SIGUSR1, code)
    with refused(errno.EPERM):
        target.leader.call(signals.queue_to_self, sent, PidfdFlag.NONE, PROCESS_GROUP)


@SCOPES
def test_a_process_group_gets_a_siginfo_of_a_code_for_users(
    target: ThreadGroup, spawn: Callable[..., ThreadGroup]
) -> None:
    """A siginfo with SI_QUEUE reaches every member.

    Beyond the C suite.
    """
    member, sent = spawn(role="member"), SigInfo(SIGUSR1, SI_QUEUE, 1234, 4321, 777)
    member.leader.call(signals.block, SIGUSR1)
    target.leader.call(os.setpgid, 0, 0)
    member.leader.call(os.setpgid, 0, target.pid)
    signals.queue(target.pidfd(), sent, flags=PROCESS_GROUP)
    found = [group.leader.call(signals.take, SIGUSR1) for group in (target, member)]
    assert found == [sent, sent]


def test_a_siginfo_that_cannot_be_read_is_a_fault(target: ThreadGroup) -> None:
    """A bad address gives EFAULT and no signal.

    Beyond the C suite.
    """
    with refused(errno.EFAULT):
        signals.queue_from_nowhere(target.pidfd(), SIGUSR1)
    assert procfs.pending_signals(target.pid) == (set(), set())


def test_a_siginfo_is_looked_at_before_the_process(target: ThreadGroup) -> None:
    """What is wrong with it is told of a reaped process too, to which a sound one is ESRCH.

    Beyond the C suite.
    """
    pidfd = target.pidfd()
    target.kill()
    target.reap()
    for error, info in (
        (errno.EINVAL, SigInfo(SIGUSR2)),
        (errno.EPERM, SigInfo(SIGUSR1, SI_KERNEL)),
        (errno.ESRCH, SigInfo(SIGUSR1)),
    ):
        with refused(error):
            signals.queue(pidfd, info, number=SIGUSR1)
    with refused(errno.EFAULT):
        signals.queue_from_nowhere(pidfd, SIGUSR1)


@needs(features_process.PID_NAMESPACE)
def test_a_sender_outside_the_receivers_pid_namespace_is_0() -> None:
    """The receiver has no number for the sender, so it is told 0.

    Beyond the C suite.
    """
    first = features_process.pid_1()
    first.leader.call(signals.block, SIGUSR1)
    first.pidfd().send_signal(SIGUSR1)
    found = first.leader.call(signals.take, SIGUSR1)
    assert (found.signo, found.code, found.pid) == (SIGUSR1, SI_USER, 0)


@needs(features_process.PID_NAMESPACE)
def test_nobody_names_himself_to_a_pid_namespace_below() -> None:
    """Where the sender has no number a siginfo of his making tells 0 too, whatever it claims.

    Beyond the C suite.
    """
    first, sent = features_process.pid_1(), SigInfo(SIGUSR1, SI_QUEUE, pid=1, value=777)
    first.leader.call(signals.block, SIGUSR1)
    signals.queue(first.pidfd(), sent)
    found = first.leader.call(signals.take, SIGUSR1)
    assert found._replace(uid=0) == sent._replace(pid=0)


@needs(features.USER_NAMESPACE)
def test_the_senders_user_is_told_as_the_receivers_user_namespace_has_it(
    spawn: Callable[..., ThreadGroup],
) -> None:
    """A user that the receiver's namespace does not map is told as the overflow id.

    Beyond the C suite.
    """
    receiver = spawn(CloneFlag.NEWUSER)
    receiver.leader.call(signals.block, SIGUSR1)
    receiver.pidfd().send_signal(SIGUSR1)
    due = SigInfo(SIGUSR1, SI_USER, os.getpid(), procfs.overflow_ids()[0].real)
    assert receiver.leader.call(signals.take, SIGUSR1) == due
