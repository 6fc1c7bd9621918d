"""The inode number tells processes from each other for as long as the system runs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from helpers import clone, features, filesystem, others, reaping
from helpers.features_files import GENERATION, PIDFS
from helpers.features_process import CLONE3, SEND_SIGNAL, SET_TID, pid_1
from helpers.gating import needs
from helpers.others import Other
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.uapi import PidfdFlag

pytestmark = needs(PIDFS)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(others.opened_again, id="opened again"),
        pytest.param(others.duplicated, id="duplicated"),
        pytest.param(others.opened_as_thread, id="thread-scoped, of the leader"),
        pytest.param(others.not_blocking, id="not blocking"),
        pytest.param(others.opened_by_itself, id="opened by the process itself, and sent"),
    ],
)
def test_pidfds_of_one_process_have_one_inode(child: ThreadGroup, other: Other) -> None:
    """Every pidfd of a process is the same file, however it was made.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    assert filesystem.identity(other(child, pidfd)) == filesystem.identity(pidfd)


def test_another_process_sees_the_same_inode(
    child: ThreadGroup, spawn: Callable[..., ThreadGroup]
) -> None:
    """A process that receives the pidfd over a socket sees the file that the sender sees.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    seen = spawn(role="receiver").leader.call(filesystem.identity, pidfd)
    assert seen == filesystem.identity(pidfd)


def test_processes_have_inodes_of_their_own(
    child: ThreadGroup, spawn: Callable[..., ThreadGroup]
) -> None:
    """Two processes have different inodes, on the one device.

    Beyond the C suite.
    """
    mine, childs, others = (
        filesystem.identity(pidfd)
        for pidfd in (Pidfd.open(os.getpid()), child.pidfd(), spawn(role="other").pidfd())
    )
    assert len({mine.inode, childs.inode, others.inode}) == 3
    assert {mine.device, childs.device, others.device} == {mine.device}


@needs(features.PIDFD_THREAD)
def test_threads_have_inodes_of_their_own(child: ThreadGroup) -> None:
    """A thread's pidfd is another file than its process's and than another thread's.

    Beyond the C suite.
    """
    threads = [child.leader, child.spawn_thread(), child.spawn_thread()]
    found = [filesystem.identity(thread.pidfd(PidfdFlag.THREAD)) for thread in threads]
    assert len(set(found)) == len(threads)


def test_inode_outlives_the_descriptors(child: ThreadGroup) -> None:
    """The number belongs to the process: a pidfd that is opened when all are closed has it again.

    Beyond the C suite.
    """
    with child.pidfd() as first:
        before = filesystem.identity(first)
    assert filesystem.identity(child.pidfd()) == before


def test_inode_stays_to_the_end_and_after(child: ThreadGroup) -> None:
    """Exec, exit and reap do not change the file that a pidfd is.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    seen = [filesystem.identity(pidfd)]
    child.leader.exec()
    seen.append(filesystem.identity(child.pidfd()))
    child.kill()
    child.await_end()
    seen.append(filesystem.identity(child.pidfd()))
    child.reap()
    seen.append(filesystem.identity(pidfd))
    assert seen == seen[:1] * 4


@needs(features.PIDFD_THREAD)
def test_inode_of_the_leader_passes_to_the_thread_that_execs(child: ThreadGroup) -> None:
    """With the leader's number its file goes to the subthread that executes a program.

    Beyond the C suite.
    """
    leader, thread = child.pidfd(), child.spawn_thread()
    subthread = thread.pidfd(PidfdFlag.THREAD)
    thread.exec()
    identity = filesystem.identity(child.pidfd())
    assert identity == filesystem.identity(leader) != filesystem.identity(subthread)


@needs(SEND_SIGNAL)
@needs(CLONE3, SET_TID, GENERATION)
def test_recycled_pid_has_another_inode() -> None:
    """A new process of an old number is another file, although the number is the same.

    Beyond the C suite.
    """
    maker = pid_1().leader
    seen = set()
    for _ in range(2):
        made = maker.call(clone.process_with_pid, 100)
        seen.add((filesystem.identity(made.pidfd), filesystem.generation(made.pidfd)))
        assert made.tid == 100
        made.pidfd.send_signal(signal.SIGKILL)
        maker.call(reaping.reap, 100)
    assert len(seen) == 2
