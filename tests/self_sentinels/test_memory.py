"""``process_madvise(2)`` and ``process_mrelease(2)`` on oneself, by sentinel."""

from __future__ import annotations

import errno
import mmap

import pytest

from helpers import features, features_process, memory
from helpers.expect import refused
from helpers.gating import needs
from helpers.process import ThreadGroup
from helpers.sentinels import Sentinel
from helpers.syscalls import process_madvise_ranges, process_mrelease
from helpers.thread import Thread
from helpers.uapi import FD_PIDFS_ROOT

pytestmark = needs(features.SELF_SENTINELS)

advises = needs(features.PROCESS_MADVISE)
releases = needs(features.PROCESS_MRELEASE)
on_no_memory = pytest.mark.parametrize(
    "ranges", [pytest.param([], id="no range"), pytest.param([(0, 0)], id="an empty range")]
)

UNKNOWN_ADVICE = -1


@advises
def test_advice_is_carried_out_on_the_callers_memory(caller: Thread, sentinel: Sentinel) -> None:
    """By either sentinel MADV_DONTNEED drops what it names and no more.

    Such advice is allowed on one's own memory only. Port of process_madvise.basic
    (mm/process_madv.c), which skips on EINVAL, the errno of a kernel that has lost this.
    """
    assert caller.call(memory.drop_first_page, sentinel.number) == ["dropped", "kept"]


@advises
def test_thread_sentinel_advises_where_the_leader_has_exited(group: ThreadGroup) -> None:
    """The memory is that of the calling thread, which outlives the leader.

    Beyond the C suite.
    """
    group.leader.exit()
    found = group.threads[1].call(memory.drop_first_page, Sentinel.THREAD.number)
    assert found == ["dropped", "kept"]


@needs(features.PIDFD_OPEN)
@advises
def test_group_sentinel_finds_no_memory_where_the_leader_has_exited(group: ThreadGroup) -> None:
    """The group sentinel is the leader, as a pidfd of the process is: without memory, ESRCH.

    Beyond the C suite.
    """
    subthread = group.threads[1]
    group.leader.exit()
    with refused(errno.ESRCH):
        subthread.call(memory.drop_first_page, Sentinel.GROUP.number)
    with group.pidfd() as pidfd, refused(errno.ESRCH):
        subthread.call(memory.drop_first_page_by, pidfd)


@advises
def test_advice_by_sentinel_takes_no_flags(caller: Thread, sentinel: Sentinel) -> None:
    """Any flag is refused with EINVAL, where the same call without is carried out.

    Port of process_madvise.flag (mm/process_madv.c), which tries one bit, by PIDFD_SELF.
    """
    for bit in range(32):
        with refused(errno.EINVAL):
            caller.call(memory.drop_first_page, sentinel.number, 1 << bit)
    caller.call(memory.drop_first_page, sentinel.number)


@advises
def test_unknown_advice_by_sentinel_is_invalid(caller: Thread, sentinel: Sentinel) -> None:
    """Advice that does not exist is refused with EINVAL, to one's own memory too.

    Beyond the C suite, which gives such advice on no memory alone.
    """
    with refused(errno.EINVAL):
        caller.call(memory.drop_first_page, sentinel.number, 0, UNKNOWN_ADVICE)


@needs(features_process.ADVICE_CHECK)
@advises
@on_no_memory
def test_unknown_advice_on_no_memory_is_invalid(
    caller: Thread, sentinel: Sentinel, ranges: list[tuple[int, int]]
) -> None:
    """Advice that does not exist is refused with EINVAL before it matters what it is about.

    0b20c36c118d ("mm/madvise: reject invalid process_madvise() advice for zero-length vectors"),
    v7.2. Port of process_madvise.invalid_advice_zero_length (mm/process_madv.c).
    """
    with refused(errno.EINVAL):
        caller.call(process_madvise_ranges, sentinel.number, ranges, UNKNOWN_ADVICE)


@advises
@on_no_memory
def test_advice_on_no_memory_is_done(
    caller: Thread, sentinel: Sentinel, ranges: list[tuple[int, int]]
) -> None:
    """Advice that exists is carried out where there is nothing to advise: no byte, and no error.

    Port of process_madvise.invalid_advice_zero_length (mm/process_madv.c), which has one of the
    two ways to name nothing.
    """
    advised = caller.call(process_madvise_ranges, sentinel.number, ranges, mmap.MADV_DONTNEED)
    assert advised == 0


@releases
def test_a_living_caller_is_not_released(caller: Thread, sentinel: Sentinel) -> None:
    """The sentinel is taken, and the call refused as nobody has killed the process: EINVAL.

    A number beside the sentinels gives EBADF. Beyond the C suite.
    """
    with refused(errno.EINVAL):
        caller.call(process_mrelease, sentinel.number)
    with refused(errno.EBADF):
        caller.call(process_mrelease, FD_PIDFS_ROOT)


@releases
def test_a_living_group_is_not_released_though_its_leader_has_exited(
    group: ThreadGroup, sentinel: Sentinel
) -> None:
    """The memory is looked for in every thread of the group: EINVAL, neither ESRCH nor done.

    Beyond the C suite.
    """
    group.leader.exit()
    with refused(errno.EINVAL):
        group.threads[1].call(process_mrelease, sentinel.number)
