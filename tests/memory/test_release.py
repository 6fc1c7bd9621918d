"""process_mrelease(2) is for a process that is being killed, and for no other."""

from __future__ import annotations

import errno

import pytest

from helpers import features, features_process, features_targets, memory, syscalls, targets
from helpers.expect import refused
from helpers.gating import needs
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.sentinels import answer
from helpers.targets import NotAPidfd
from helpers.uapi import PidfdFlag

pytestmark = needs(features.PIDFD_OPEN, features.PROCESS_MRELEASE)


def test_living_process_keeps_its_memory(child: ThreadGroup) -> None:
    """A process that nobody has killed is not released: EINVAL.

    Beyond the C suite.
    """
    child.leader.call(memory.write_page)
    with refused(errno.EINVAL):
        memory.release(child.pidfd())
    assert child.leader.call(memory.is_as_written)


def test_process_that_lives_on_in_a_subthread_keeps_its_memory(child: ThreadGroup) -> None:
    """The memory of a leader that exited is its subthreads': EINVAL, not ESRCH.

    Beyond the C suite.
    """
    thread, pidfd = child.spawn_thread(), child.pidfd()
    thread.call(memory.write_page)
    child.leader.exit()
    with refused(errno.EINVAL):
        memory.release(pidfd)
    assert thread.call(memory.is_as_written)


@pytest.mark.parametrize("leader_gone", [False, True], ids=["leader alive", "leader gone"])
def test_killed_process_is_released_until_nothing_is_left(
    child: ThreadGroup, leader_gone: bool
) -> None:
    """From the kill on the memory is released, or is gone by then: ESRCH; never EINVAL.

    Beyond the pidfd suite; mm/mrelease_test.c tries again where it came too late.
    """
    pidfd = child.pidfd()
    if leader_gone:
        child.spawn_thread()
        child.leader.exit()
    child.kill()
    assert answer(syscalls.process_mrelease, pidfd.fileno()) in ("done", "ESRCH")


@pytest.mark.parametrize("end", ["zombie", "reaped"])
def test_ended_process_has_nothing_to_release(child: ThreadGroup, end: str) -> None:
    """A zombie and a reaped process are not found: ESRCH.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    child.kill()
    child.await_end()
    if end == "reaped":
        child.reap()
    with refused(errno.ESRCH):
        memory.release(pidfd)


@needs(features_process.FIRST_KERNEL_THREAD)
def test_kernel_thread_has_nothing_to_release() -> None:
    """A kernel thread has no memory of its own: ESRCH.

    Beyond the C suite.
    """
    with refused(errno.ESRCH):
        memory.release(Pidfd.open(features_process.KERNEL_THREAD))


@needs(features.PIDFD_THREAD)
def test_pidfd_of_a_subthread_stands_for_no_process(child: ThreadGroup) -> None:
    """A subthread's pidfd gives ESRCH, the leader's as a thread is the process: EINVAL.

    Beyond the C suite.
    """
    with refused(errno.ESRCH):
        memory.release(child.spawn_thread().pidfd(PidfdFlag.THREAD))
    with refused(errno.EINVAL):
        memory.release(child.pidfd(PidfdFlag.THREAD))


def test_no_flag_is_known(child: ThreadGroup) -> None:
    """Flags are refused with EINVAL, before anyone looks for the process.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    child.kill()
    child.reap()
    for bit in range(32):
        with refused(errno.EINVAL):
            memory.release(pidfd, 1 << bit)


@pytest.mark.parametrize("kind", features_targets.kinds())
def test_other_descriptor_is_no_pidfd(kind: NotAPidfd) -> None:
    """In place of a pidfd every other kind of descriptor gives EBADF.

    Beyond the C suite.
    """
    with refused(errno.EBADF):
        memory.release(targets.make(kind))
