"""PIDFD_INFO_COREDUMP tells of a process that has not crashed how it would dump core."""

from __future__ import annotations

import signal

import pytest

from helpers import coredump, crashes, features, features_info, features_process, records, rights
from helpers.gating import needs
from helpers.info import Killed
from helpers.process import ThreadGroup
from helpers.uapi import CoredumpMask, InfoMask, PidfdFlag

pytestmark = needs(features_info.COREDUMP)

STATES = pytest.mark.parametrize(
    ("dumpable", "due"),
    [
        pytest.param(1, CoredumpMask.USER, id="dumpable"),
        pytest.param(0, CoredumpMask.SKIP, id="not dumpable"),
    ],
)


@STATES
def test_live_process_is_told_with_its_dumpability(
    child: ThreadGroup, dumpable: int, due: CoredumpMask
) -> None:
    """COREDUMP adds the state to the answer, and neither a signal nor a code.

    Beyond the C suite.
    """
    record = records.of_task(child.leader)  # before /proc may hide it (hidepid)
    child.leader.call(rights.set_dumpable, dumpable)
    found = child.pidfd().info(InfoMask.COREDUMP)
    assert found == record._replace(mask=record.mask | InfoMask.COREDUMP, coredump=due)


@STATES
@needs(features.PIDFD_THREAD)
def test_thread_is_told_with_the_dumpability_of_its_process(
    child: ThreadGroup, dumpable: int, due: CoredumpMask
) -> None:
    """Dumpability belongs to the process: a subthread's pidfd tells the same.

    Beyond the C suite.
    """
    thread = child.spawn_thread()
    child.leader.call(rights.set_dumpable, dumpable)
    assert thread.pidfd(PidfdFlag.THREAD).info(InfoMask.COREDUMP).coredump == due


@needs(features_process.USER_CHANGE)
def test_process_that_changed_its_user_is_as_dumpable_as_the_machine_wants(
    child: ThreadGroup,
) -> None:
    """After a change of ids fs.suid_dumpable decides: 0 skips, 1 dumps as user, 2 as root.

    Beyond the C suite.
    """
    states = {0: CoredumpMask.SKIP, 1: CoredumpMask.USER, 2: CoredumpMask.ROOT}
    child.leader.call(rights.become, rights.OTHER_USER)
    assert child.pidfd().info(InfoMask.COREDUMP).coredump == states[crashes.suid_dumpable()]


def test_exec_makes_dumpable_again(child: ThreadGroup) -> None:
    """A new program begins dumpable, and the pidfd from before tells so.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    child.leader.call(rights.set_dumpable, 0)
    child.leader.exec()
    assert pidfd.info(InfoMask.COREDUMP).coredump == CoredumpMask.USER


@STATES
@needs(features_info.COREDUMP_OF_ZOMBIES)
def test_zombie_keeps_its_dumpability(child: ThreadGroup, dumpable: int, due: CoredumpMask) -> None:
    """The state outlives the memory of the process; older kernels lose it with that.

    Beyond the C suite.
    """
    child.leader.call(rights.set_dumpable, dumpable)
    pidfd = child.pidfd()
    child.leader.exit_group()
    assert pidfd.info(InfoMask.COREDUMP).coredump == due


@needs(features_info.COREDUMP_OF_DUMPS)
def test_reaped_process_without_a_dump_is_told_by_its_end_alone(child: ThreadGroup) -> None:
    """A process killed by a signal that dumps core, but made no dump, has no COREDUMP.

    The bit was set, with nothing behind it, until fe0e6ce3fd65 ("pidfs: fix PIDFD_INFO_COREDUMP
    handling"), v6.19. Beyond the C suite.
    """
    pidfd = child.pidfd()
    child.leader.call(coredump.forbid)
    child.kill(signal.SIGSEGV)
    assert child.reap() == Killed(signal.SIGSEGV)
    found = pidfd.info(InfoMask.EXIT | InfoMask.COREDUMP)
    assert found == records.of_reaped(Killed(signal.SIGSEGV))
