"""process_madvise(2) gives advice on the memory of the process behind a pidfd."""

from __future__ import annotations

import errno
import mmap
from collections.abc import Callable

import pytest

from helpers import (
    features,
    features_process,
    features_targets,
    memory,
    rights,
    syscalls,
    targets,
)
from helpers.endings import end_leader
from helpers.expect import refused
from helpers.gating import needs
from helpers.memory import Page
from helpers.parameters import SCOPES, UNLIKE_EQUALS
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.rights import SYS_NICE, Obstacle
from helpers.syscalls_access import drop_capabilities
from helpers.targets import NotAPidfd
from helpers.uapi import MADV_COLD, MADV_PAGEOUT, PidfdFlag

pytestmark = needs(features.PIDFD_OPEN, features.PROCESS_MADVISE)


@needs(features_process.ADVICE)
@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize(
    "advice",
    [
        pytest.param(MADV_COLD, id="MADV_COLD"),
        pytest.param(MADV_PAGEOUT, id="MADV_PAGEOUT"),
        pytest.param(
            mmap.MADV_WILLNEED, id="MADV_WILLNEED", marks=needs(features_targets.READ_AHEAD)
        ),
    ],
)
def test_hint_is_taken_for_another_process(
    child: ThreadGroup, scope: PidfdFlag, advice: int
) -> None:
    """Hints may be given for others: the length comes back, and nothing that was written is lost.

    Beyond the C suite.
    """
    page = child.leader.call(memory.write_page)
    assert memory.advise(child.pidfd(scope), page, advice) == page.length
    assert child.leader.call(memory.is_as_written)


@needs(features_process.ADVICE)
@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("advice", memory.FOR_ONESELF)
def test_advice_that_destroys_is_for_oneself_alone(
    child: ThreadGroup, scope: PidfdFlag, advice: str
) -> None:
    """What takes or changes memory is EINVAL by a pidfd of another process, and drops nothing.

    Beyond the C suite.
    """
    page = child.leader.call(memory.write_page, advice)
    with refused(errno.EINVAL):
        memory.advise(child.pidfd(scope), page, memory.FOR_ONESELF[advice])
    assert child.leader.call(memory.is_as_written)


@needs(features_process.OWN_ADVICE)
@pytest.mark.parametrize("advice", memory.FOR_ONESELF)
def test_same_advice_is_taken_for_oneself(child: ThreadGroup, advice: str) -> None:
    """By a pidfd of the caller, on such a page, since v6.13.

    Beyond the C suite.
    """
    page = child.leader.call(memory.write_page, advice)
    number = memory.FOR_ONESELF[advice]
    assert child.leader.call(memory.advise, child.pidfd(), page, number) == page.length


@needs(features_process.OWN_ADVICE)
@pytest.mark.parametrize("scope", SCOPES)
def test_pidfd_of_oneself_takes_advice_that_destroys(child: ThreadGroup, scope: PidfdFlag) -> None:
    """By a pidfd of the caller MADV_DONTNEED drops what it names and no more.

    Every advice for oneself is taken since v6.13. Beyond the C suite, which goes by PIDFD_SELF.
    """
    found = child.leader.call(memory.drop_first_page_by, child.pidfd(scope))
    assert found == ["dropped", "kept"]


@needs(features_process.ADVICE)
def test_ranges_are_advised_in_turn_until_one_is_refused(child: ThreadGroup) -> None:
    """The sum of the lengths comes back, or of those before the first that cannot be advised.

    From process_madvise(2). Beyond the C suite.
    """
    one, other = (child.leader.call(memory.write_page) for _ in range(2))
    vectors: list[list[Page]] = [[one, other], [one, memory.NOWHERE, other], []]
    found = [memory.advise_ranges(child.pidfd(), ranges, MADV_COLD) for ranges in vectors]
    assert found == [one.length + other.length, one.length, 0]


@needs(features_process.ADVICE)
@pytest.mark.parametrize(
    ("move", "error"),
    [
        pytest.param(lambda page: memory.NOWHERE, errno.ENOMEM, id="not mapped"),
        pytest.param(lambda page: Page(page.address + 1, 1), errno.EINVAL, id="not aligned"),
    ],
)
def test_first_range_that_is_refused_tells_why(
    child: ThreadGroup, move: Callable[[Page], Page], error: int
) -> None:
    """ENOMEM for a range that is not mapped, EINVAL for one that begins in the middle of a page.

    From process_madvise(2) and madvise(2). Beyond the C suite.
    """
    page = child.leader.call(memory.write_page)
    with refused(error):
        memory.advise_ranges(child.pidfd(), [move(page), page], MADV_COLD)


@needs(features_process.ADVICE)
def test_advice_needs_a_privilege(child: ThreadGroup) -> None:
    """Without CAP_SYS_NICE it is EPERM, also for who may trace the process.

    Beyond the C suite.
    """
    target = child.leader.fork(role="target")
    page = target.leader.call(memory.write_page)
    assert child.leader.call(memory.advise, target.pidfd(), page, MADV_COLD) == page.length
    child.leader.call(drop_capabilities, SYS_NICE)
    with refused(errno.EPERM):
        child.leader.call(memory.advise, target.pidfd(), page, MADV_COLD)


@UNLIKE_EQUALS
def test_process_that_may_not_be_looked_into_takes_no_advice(obstacle: Obstacle) -> None:
    """Who may not read a process by ptrace does not reach its memory: EACCES.

    Beyond the C suite.
    """
    caller, target, pidfd = rights.scene(obstacle)
    page = target.leader.call(memory.write_page)
    with refused(errno.EACCES):
        caller.leader.call(memory.advise, pidfd, page, MADV_COLD)


@pytest.mark.parametrize("end", ["zombie", "reaped"])
def test_ended_process_has_no_memory(child: ThreadGroup, end: str) -> None:
    """A zombie and a reaped process are not found: ESRCH.

    Beyond the C suite.
    """
    page, pidfd = child.leader.call(memory.write_page), child.pidfd()
    end_leader(child, end)
    with refused(errno.ESRCH):
        memory.advise(pidfd, page, MADV_COLD)


@needs(features_process.FIRST_KERNEL_THREAD)
def test_kernel_thread_has_no_memory() -> None:
    """A kernel thread has none of its own to advise: ESRCH.

    Beyond the C suite.
    """
    with refused(errno.ESRCH):
        memory.advise(Pidfd.open(features_process.KERNEL_THREAD), memory.write_page(), MADV_COLD)


@needs(features.PIDFD_THREAD)
def test_pidfd_of_a_subthread_stands_for_no_process(child: ThreadGroup) -> None:
    """The call is for processes, by whichever of the leader's pidfds; a subthread's gives ESRCH.

    Beyond the C suite.
    """
    page, thread = child.leader.call(memory.write_page), child.spawn_thread()
    with refused(errno.ESRCH):
        memory.advise(thread.pidfd(PidfdFlag.THREAD), page, MADV_COLD)


@pytest.mark.parametrize("kind", features_targets.kinds())
def test_other_descriptor_is_no_pidfd(kind: NotAPidfd) -> None:
    """In place of a pidfd every other kind of descriptor gives EBADF.

    Beyond the C suite.
    """
    page: Page = memory.write_page()
    with refused(errno.EBADF):
        memory.advise(targets.make(kind), page, MADV_COLD)


@pytest.mark.parametrize(
    ("count", "error"),
    [
        pytest.param(1, errno.EFAULT, id="out of reach"),
        pytest.param(1025, errno.EINVAL, id="more than UIO_MAXIOV"),
    ],
)
def test_ranges_must_be_told(child: ThreadGroup, count: int, error: int) -> None:
    """A vector of ranges that cannot be read gives EFAULT, one that is too long EINVAL.

    Beyond the C suite.
    """
    with refused(error):
        syscalls.process_madvise_at(child.pidfd().fileno(), 8, count, MADV_COLD)


def test_no_flag_is_known(child: ThreadGroup) -> None:
    """Flags are refused with EINVAL, before anyone looks for the process.

    Beyond the pidfd suite; process_madvise.flag (mm/process_madv.c) tries one bit, on itself.
    """
    page, pidfd = child.leader.call(memory.write_page), child.pidfd()
    child.kill()
    child.reap()
    for bit in range(32):
        with refused(errno.EINVAL):
            memory.advise(pidfd, page, MADV_COLD, 1 << bit)
