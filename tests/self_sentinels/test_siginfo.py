"""The siginfo of signals to oneself by sentinel: the kernel's, and one of the caller's making."""

from __future__ import annotations

import errno
import os
from signal import SIGUSR1, SIGUSR2

import pytest

from helpers import features, features_process, signals
from helpers.expect import refused
from helpers.gating import needs
from helpers.process import ThreadGroup
from helpers.sentinels import Sentinel, pending
from helpers.signals import SigInfo
from helpers.syscalls import pidfd_send_signal
from helpers.thread import Thread
from helpers.uapi import SI_ASYNCIO, SI_KERNEL, SI_QUEUE, SI_TKILL, SI_USER, SignalFlag

pytestmark = needs(features.SELF_SENTINELS, features_process.SIGNAL_QUEUE)

OF_THE_KERNEL = {"SI_USER": SI_USER, "SI_KERNEL": SI_KERNEL, "SI_TKILL": SI_TKILL}
kernel_code = pytest.mark.parametrize("code", OF_THE_KERNEL.values(), ids=OF_THE_KERNEL)
own_code = pytest.mark.parametrize("code", [SI_QUEUE, SI_ASYNCIO], ids=["SI_QUEUE", "SI_ASYNCIO"])


def forged(code: int) -> SigInfo:
    """A siginfo of `code` that claims to come from process 1."""
    return signals.forged(SIGUSR1, code)


def send(
    thread: Thread, sentinel: Sentinel, info: SigInfo, flags: SignalFlag = SignalFlag.NONE
) -> None:
    """Let `thread` send `info` by `sentinel`."""
    thread.call(signals.queue_by_number, sentinel.number, info, SIGUSR1, flags)


@pytest.mark.parametrize(
    ("sentinel", "flags", "code"),
    [
        (Sentinel.THREAD, SignalFlag.NONE, SI_TKILL),
        (Sentinel.THREAD, SignalFlag.THREAD_GROUP, SI_USER),
        (Sentinel.GROUP, SignalFlag.NONE, SI_USER),
    ],
    ids=["thread sentinel", "thread sentinel as the group", "group sentinel"],
)
def test_kernel_tells_who_sent_it_and_to_what(
    group: ThreadGroup, caller: Thread, sentinel: Sentinel, flags: SignalFlag, code: int
) -> None:
    """To a thread it is as by ``tgkill``, to a group as by ``kill``, from the process in both.

    Beyond the C suite.
    """
    caller.call(pidfd_send_signal, sentinel.number, SIGUSR1, None, flags)
    due = SigInfo(SIGUSR1, code, pid=group.pid, uid=os.getuid())
    assert caller.call(signals.take, SIGUSR1) == due


@own_code
def test_own_siginfo_arrives_as_it_was_sent(caller: Thread, sentinel: Sentinel, code: int) -> None:
    """A code that is for user space passes from any thread by either sentinel, unchanged.

    Beyond the C suite.
    """
    send(caller, sentinel, forged(code))
    assert caller.call(signals.take, SIGUSR1) == forged(code)


@kernel_code
@pytest.mark.parametrize(
    "flags", [SignalFlag.NONE, SignalFlag.THREAD, SignalFlag.THREAD_GROUP], ids=str
)
def test_a_thread_may_forge_the_kernels_codes_to_itself(
    caller: Thread, flags: SignalFlag, code: int
) -> None:
    """By PIDFD_SELF_THREAD the kernel's own codes pass, to the group of the caller too.

    Beyond the C suite.
    """
    send(caller, Sentinel.THREAD, forged(code), flags)
    assert caller.call(signals.take, SIGUSR1) == forged(code)


@kernel_code
def test_the_leader_may_forge_the_kernels_codes_to_its_group(group: ThreadGroup, code: int) -> None:
    """For the leader PIDFD_SELF_THREAD_GROUP is its own number: the kernel's codes pass.

    Beyond the C suite.
    """
    send(group.leader, Sentinel.GROUP, forged(code))
    assert group.leader.call(signals.take, SIGUSR1) == forged(code)


@kernel_code
@pytest.mark.parametrize("flags", [SignalFlag.NONE, SignalFlag.THREAD], ids=str)
def test_a_subthread_may_not_forge_the_kernels_codes_to_its_group(
    group: ThreadGroup, flags: SignalFlag, code: int
) -> None:
    """For a subthread PIDFD_SELF_THREAD_GROUP is another's number, the leader's: EPERM.

    Beyond the C suite.
    """
    with refused(errno.EPERM):
        send(group.threads[1], Sentinel.GROUP, forged(code), flags)
    assert pending(group) == {}
    send(group.threads[1], Sentinel.GROUP, forged(SI_QUEUE), flags)


@kernel_code
def test_nobody_may_forge_the_kernels_codes_to_a_process_group(
    group: ThreadGroup, sentinel: Sentinel, code: int
) -> None:
    """A process group is more than the caller, even where it is alone in it: EPERM.

    Beyond the C suite.
    """
    group.leader.call(os.setpgid, 0, 0)
    with refused(errno.EPERM):
        send(group.leader, sentinel, forged(code), SignalFlag.PROCESS_GROUP)
    assert pending(group) == {}
    send(group.leader, sentinel, forged(SI_QUEUE), SignalFlag.PROCESS_GROUP)


@pytest.mark.parametrize("code", [SI_QUEUE, SI_USER], ids=["SI_QUEUE", "SI_USER"])
def test_siginfo_must_name_the_signal_that_is_sent(
    group: ThreadGroup, caller: Thread, sentinel: Sentinel, code: int
) -> None:
    """Another si_signo than the signal gives EINVAL, and is looked at before the code.

    Beyond the C suite.
    """
    with refused(errno.EINVAL):
        send(caller, sentinel, forged(code)._replace(signo=SIGUSR2))
    assert pending(group) == {}
    send(caller, sentinel, forged(SI_QUEUE))
