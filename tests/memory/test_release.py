"""process_mrelease(2) is for a process that is being killed, and for no other."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import suppress
from signal import SIGKILL

import pytest

from helpers import (
    features,
    features_process,
    features_targets,
    features_tracing,
    memory,
    syscalls,
    targets,
    tracing,
    victims,
)
from helpers.expect import answer, refused
from helpers.gating import needs
from helpers.observe import Watcher
from helpers.parameters import LEADER_GONE
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.targets import NotAPidfd
from helpers.uapi import PidfdFlag, PollEvent

pytestmark = needs(features.PIDFD_OPEN, features.PROCESS_MRELEASE)


@pytest.fixture
def target(child: ThreadGroup) -> ThreadGroup:
    """A child of `child`, which is to trace it."""
    return child.leader.fork(role="target")


@pytest.fixture
def sharer(target: ThreadGroup) -> Iterator[Pidfd]:
    """A living process in the memory of `target`."""
    with target.leader.call(victims.sleep_in_same_memory) as pidfd:
        yield pidfd
        with suppress(ProcessLookupError):
            pidfd.send_signal(SIGKILL)
        Watcher(pidfd).assert_notified(PollEvent.IN)


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


@LEADER_GONE
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


@needs(features_tracing.TRACING)
def test_memory_of_a_killed_process_is_gone_before_its_end(
    child: ThreadGroup, target: ThreadGroup
) -> None:
    """What a killed process has written is gone with the call, however long its end takes.

    Beyond the pidfd suite; mm/mrelease_test.c takes success for it, where it comes in time.
    """
    page, pidfd = target.leader.call(memory.write_page), target.pidfd()
    tracing.kill_and_hold(child.leader, target, pidfd)
    assert child.leader.call(memory.look, target.pid, page) == "kept"
    memory.release(pidfd)
    assert child.leader.call(memory.look, target.pid, page) == "gone"


@needs(features_tracing.TRACING)
def test_released_process_can_be_released_again(child: ThreadGroup, target: ThreadGroup) -> None:
    """As long as a killed process has not ended the call is done, also when nothing is left to do.

    Beyond the C suite.
    """
    pidfd = target.pidfd()
    tracing.kill_and_hold(child.leader, target, pidfd)
    memory.release(pidfd)
    memory.release(pidfd)
    tracing.resume(child.leader, target.leader)
    target.await_end()
    with refused(errno.ESRCH):
        memory.release(pidfd)


@needs(features_tracing.TRACING, features_process.SEND_SIGNAL)
def test_memory_is_kept_for_a_living_process_that_shares_it(
    child: ThreadGroup, target: ThreadGroup, sharer: Pidfd
) -> None:
    """While another process that nobody has killed is in the same memory, it is EINVAL.

    Beyond the C suite.
    """
    page, pidfd = target.leader.call(memory.write_page), target.pidfd()
    tracing.kill_and_hold(child.leader, target, pidfd)
    with refused(errno.EINVAL):
        memory.release(pidfd)
    assert child.leader.call(memory.look, target.pid, page) == "kept"
    sharer.send_signal(SIGKILL)
    Watcher(sharer).assert_notified(PollEvent.IN)
    memory.release(pidfd)
    assert child.leader.call(memory.look, target.pid, page) == "gone"


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
