"""Pidfds that ``clone(2)`` and ``clone3(2)`` give with a new process."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable

import pytest

from helpers import (
    clone,
    fdinfo,
    features,
    features_autoreap,
    features_files,
    features_process,
    procfs,
    reaping,
)
from helpers.autoreap import AUTOKILL
from helpers.clone import Call
from helpers.expect import refused
from helpers.gating import needs
from helpers.info import Exited, Killed, decode_waitid
from helpers.observe import Watcher
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.uapi import WALL, CloneFlag, InfoMask, PollEvent

pytestmark = needs(features.PIDFD_OPEN)

CALLS = [
    pytest.param(Call.CLONE, id="clone"),
    pytest.param(Call.CLONE3, id="clone3", marks=needs(features_process.CLONE3)),
]
ONLY_CLONE3 = needs(features_process.CLONE3)


@pytest.mark.parametrize("call", CALLS)
def test_the_pidfd_closes_on_exec(call: Call, child: ThreadGroup) -> None:
    """FD_CLOEXEC is set, by which the pidfd does not leak into what the maker executes.

    b3e583826255 ("clone: add CLONE_PIDFD"), v5.2. Beyond the C suite.
    """
    assert child.leader.call(clone.process, call).closes_on_exec


@pytest.mark.parametrize("call", CALLS)
def test_the_pidfd_is_of_the_new_process_and_blocks(call: Call, child: ThreadGroup) -> None:
    """Its status flags are those of ``pidfd_open`` without flags, and it leads to the new pid.

    Beyond the C suite.
    """
    made = child.leader.call(clone.process, call)
    assert made.pidfd.status_flags == os.O_RDWR
    assert fdinfo.shown(made.pidfd).pid == str(made.tid)


@pytest.mark.parametrize("call", CALLS)
def test_the_maker_waits_by_the_pidfd(
    call: Call, child: ThreadGroup, watch: Callable[..., Watcher]
) -> None:
    """The pidfd stands for the new process, whose end it brings.

    Port of wait_simple (pidfd_wait.c); the status is one that nothing else gives.
    """
    made = child.leader.call(clone.process, call, CloneFlag.PIDFD, 42)
    watch(made.pidfd).assert_notified(PollEvent.IN)
    assert child.leader.call(Pidfd.peek, made.pidfd) == Exited(42)


@needs(features_files.PIDFS)
@pytest.mark.parametrize("call", CALLS)
def test_the_pidfd_is_the_same_as_that_of_pidfd_open(call: Call, child: ThreadGroup) -> None:
    """Both are the one inode of the process.

    Beyond the C suite.
    """
    made = child.leader.call(clone.process, call)
    with Pidfd.open(made.tid) as opened:
        assert os.path.samestat(os.fstat(opened.fileno()), os.fstat(made.pidfd.fileno()))


@pytest.mark.parametrize("call", CALLS)
def test_the_new_process_does_not_inherit_its_own_pidfd(call: Call, child: ThreadGroup) -> None:
    """The pidfd is put into the maker's table after the new process has its own.

    Beyond the C suite.
    """
    made = child.leader.call(clone.process, call)
    assert procfs.open_pidfds(made.tid) == 0


@pytest.mark.parametrize("call", CALLS)
def test_a_process_that_shares_the_table_has_the_pidfd_too(call: Call, child: ThreadGroup) -> None:
    """With CLONE_FILES there is one table, in which the pidfd is for both.

    Beyond the C suite.
    """
    made = child.leader.call(clone.process, call, CloneFlag.PIDFD | CloneFlag.FILES)
    assert (procfs.open_pidfds(child.pid), procfs.open_pidfds(made.tid)) == (1, 1)


@needs(features.INFO_EXIT)
@pytest.mark.parametrize("call", CALLS)
def test_the_pidfd_keeps_the_end_of_a_process_that_was_reaped_by_number(
    call: Call, child: ThreadGroup
) -> None:
    """Nobody opened it before the end, but its pidfd was there from the start.

    Beyond the C suite.
    """
    made = child.leader.call(clone.process, call, CloneFlag.PIDFD, 42)
    assert child.leader.call(reaping.reap, made.tid) == Exited(42)
    assert made.pidfd.poll() == PollEvent.IN | PollEvent.HUP
    assert made.pidfd.info(InfoMask.EXIT).exit == Exited(42)


@ONLY_CLONE3
def test_clone3_stores_the_tid_at_an_address_of_its_own(child: ThreadGroup) -> None:
    """CLONE_PARENT_SETTID goes together with CLONE_PIDFD by ``clone3``.

    Beyond the C suite, which uses both in pidfd_wait.c.
    """
    made = child.leader.call(clone.process, Call.CLONE3, CloneFlag.PIDFD | CloneFlag.PARENT_SETTID)
    assert made.parent_tid == made.tid


@needs(features_process.SEND_SIGNAL)
@needs(features_process.PID_NAMESPACE)
@pytest.mark.parametrize("call", CALLS)
def test_the_pidfd_sees_into_a_new_pid_namespace(call: Call) -> None:
    """The maker of a pid namespace holds a pidfd of its first process, and can end it.

    Beyond the C suite.
    """
    maker = features_process.pid_1()
    made = maker.leader.call(clone.process, call, CloneFlag.PIDFD | CloneFlag.NEWPID)
    made.pidfd.send_signal(signal.SIGKILL)
    result = maker.leader.call(Pidfd.waitid, made.pidfd, os.WEXITED)
    assert result is not None
    assert (result.si_pid, decode_waitid(result)) == (made.tid, Killed(signal.SIGKILL))


@needs(features_process.WAIT)
@pytest.mark.parametrize("call", CALLS)
def test_the_maker_of_a_sibling_has_its_pidfd_and_no_child(call: Call, child: ThreadGroup) -> None:
    """With CLONE_PARENT the pidfd is for who called, and the child for the parent, here us.

    Beyond the C suite.
    """
    flags, signalled = (
        CloneFlag.PIDFD | CloneFlag.PARENT,
        0 if call is Call.CLONE3 else signal.SIGCHLD,
    )
    made = child.leader.call(clone.process, call, flags, 42, signalled)
    with refused(errno.ECHILD):
        child.leader.call(Pidfd.waitid, made.pidfd, os.WEXITED | os.WNOHANG | WALL)
    found = made.pidfd.waitid(os.WEXITED | WALL)
    assert found is not None
    assert (found.si_pid, decode_waitid(found)) == (made.tid, Exited(42))


def test_clone_refuses_a_pidfd_together_with_the_tid(child: ThreadGroup) -> None:
    """``clone`` has one address for both: CLONE_PARENT_SETTID with CLONE_PIDFD is EINVAL.

    Beyond the C suite.
    """
    both = CloneFlag.PIDFD | CloneFlag.PARENT_SETTID
    with refused(errno.EINVAL):
        child.leader.call(clone.process, Call.CLONE, both)


@ONLY_CLONE3
def test_clone3_refuses_one_address_for_pidfd_and_tid(child: ThreadGroup) -> None:
    """Neither may overwrite the other: EINVAL.

    Beyond the C suite.
    """
    with refused(errno.EINVAL):
        child.leader.call(clone.process_with_one_address)


@pytest.mark.parametrize("call", CALLS)
def test_a_detached_process_gets_no_pidfd(call: Call, child: ThreadGroup) -> None:
    """CLONE_DETACHED, long without meaning, is EINVAL with CLONE_PIDFD and by ``clone3``.

    Beyond the C suite.
    """
    with refused(errno.EINVAL):
        child.leader.call(clone.process, call, CloneFlag.PIDFD | CloneFlag.DETACHED)


@ONLY_CLONE3
def test_a_pidfd_that_cannot_be_stored_makes_no_process(child: ThreadGroup) -> None:
    """An address that cannot be written gives EFAULT; neither a process nor a pidfd is left.

    Beyond the C suite.
    """
    with refused(errno.EFAULT):
        child.leader.call(clone.process_without_address)
    assert (procfs.children(child.pid), procfs.open_pidfds(child.pid)) == (set(), 0)


@needs(features_process.INTO_CGROUP)
@pytest.mark.parametrize(
    ("flags", "exit_signal"),
    [
        pytest.param(CloneFlag.PIDFD, signal.SIGCHLD, id="plain"),
        pytest.param(AUTOKILL, 0, id="autokill", marks=needs(features_autoreap.AUTOKILL)),
    ],
)
def test_a_clone_that_fails_after_its_pidfd_was_made_leaves_none(
    child: ThreadGroup, flags: CloneFlag, exit_signal: int
) -> None:
    """A cgroup that is none is found out last: EBADF; neither a process nor a pidfd is left.

    From copy_process() in kernel/fork.c. Beyond the C suite.
    """
    with refused(errno.EBADF):
        child.leader.call(clone.process_into_no_cgroup, flags, exit_signal)
    assert (procfs.children(child.pid), procfs.open_pidfds(child.pid)) == (set(), 0)


@pytest.mark.parametrize("call", CALLS)
def test_a_maker_without_a_free_descriptor_makes_no_process(call: Call, child: ThreadGroup) -> None:
    """A full descriptor table gives EMFILE, and no process is left.

    Beyond the C suite.
    """
    with refused(errno.EMFILE):
        child.leader.call(clone.process_in_full_table, call)
    assert procfs.children(child.pid) == set()
