"""What ``pidfd_open(2)`` opens, and what descriptor it gives."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable

import pytest

from helpers import features, features_process, procfs
from helpers.expect import moved, refused
from helpers.gating import needs
from helpers.info import Killed, PidfdInfo
from helpers.parameters import SCOPES
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.uapi import InfoMask, PidfdFlag, PollEvent

pytestmark = needs(features.PIDFD_OPEN)

THREAD, NONBLOCK = PidfdFlag.THREAD, PidfdFlag.NONBLOCK
FLAGS = [
    pytest.param(PidfdFlag.NONE, id="no flags"),
    pytest.param(NONBLOCK, id="NONBLOCK", marks=needs(features_process.NONBLOCK)),
    pytest.param(THREAD, id="THREAD", marks=needs(features.PIDFD_THREAD)),
    pytest.param(
        THREAD | NONBLOCK,
        id="THREAD|NONBLOCK",
        marks=needs(features.PIDFD_THREAD, features_process.NONBLOCK),
    ),
]


@pytest.mark.parametrize("flags", FLAGS)
def test_a_pidfd_closes_on_exec_without_being_asked(flags: PidfdFlag, child: ThreadGroup) -> None:
    """FD_CLOEXEC is always set.

    Beyond the C suite.
    """
    assert child.pidfd(flags).closes_on_exec


@pytest.mark.parametrize("flags", FLAGS)
def test_the_flags_asked_for_show_as_status_flags(flags: PidfdFlag, child: ThreadGroup) -> None:
    """F_GETFL tells the flags of ``pidfd_open`` and read-write access, and nothing else.

    Port of wait_nonblock (pidfd_wait.c), which looks at O_NONBLOCK alone.
    """
    assert child.pidfd(flags).status_flags == os.O_RDWR | flags


@needs(features.GET_INFO)
def test_a_process_opens_itself() -> None:
    """A pidfd of the caller tells of the caller.

    Port of open_self and get_info_self (pidfd_open_test.c); the saved ids are compared with the
    saved ids, not with the effective ones, the filesystem ids too, and the mask as a whole.
    """
    uids, gids = procfs.ids(os.getpid())
    with Pidfd.open(os.getpid(), role="own") as pidfd:
        found = pidfd.info(InfoMask.NONE)
    assert found._replace(cgroupid=None, mask=found.mask & ~InfoMask.CGROUPID) == PidfdInfo(
        InfoMask.PID | InfoMask.CREDS, os.getpid(), os.getpid(), os.getppid(), uids, gids
    )


@needs(features.PIDFD_THREAD, features.GET_INFO)
@pytest.mark.parametrize("role", ["leader", "subthread"])
def test_a_thread_id_opens_with_thread_scope(role: str, child: ThreadGroup) -> None:
    """With PIDFD_THREAD any thread can be opened by its id, the leader too.

    64bef697d33b ("pidfd: implement PIDFD_THREAD flag for pidfd_open()"), v6.9. Beyond the C
    suite.
    """
    thread = child.leader if role == "leader" else child.spawn_thread()
    info = thread.pidfd(THREAD).info()
    assert (info.pid, info.tgid) == (thread.tid, child.pid)


def test_a_subthread_id_names_no_process(child: ThreadGroup) -> None:
    """Without PIDFD_THREAD the id must be that of a thread-group leader.

    ENOENT since 17f1b08acf50 ("pidfs: ensure consistent ENOENT/ESRCH reporting"), v6.16, where
    EINVAL no longer hides that the thread exists. Port of pidfd_info.thread_group
    (pidfd_info_test.c).
    """
    subthread = child.spawn_thread()
    with refused(*moved(errno.ENOENT, old=errno.EINVAL, since=(6, 16))):
        subthread.pidfd()


@pytest.mark.parametrize("flags", SCOPES)
def test_a_zombie_can_be_opened(flags: PidfdFlag, child: ThreadGroup) -> None:
    """A process can be opened until it is reaped; what is opened tells of its end at once.

    Beyond the C suite.
    """
    child.kill()
    child.await_end()
    with child.pidfd(flags) as pidfd:
        assert pidfd.poll() == PollEvent.IN
        assert pidfd.peek() == Killed(signal.SIGKILL)


@pytest.mark.parametrize("flags", SCOPES)
def test_a_leader_that_exited_before_its_subthreads_can_be_opened(
    flags: PidfdFlag, child: ThreadGroup
) -> None:
    """A leader keeps its number while its thread group lives.

    Beyond the C suite.
    """
    child.spawn_thread()
    child.leader.exit()
    assert child.pidfd(flags).peek() is None


@pytest.mark.parametrize("flags", SCOPES)
def test_a_reaped_process_is_gone(flags: PidfdFlag, child: ThreadGroup) -> None:
    """The number of a reaped process opens nothing.

    Beyond the C suite.
    """
    child.kill()
    child.reap()
    with refused(errno.ESRCH):
        child.pidfd(flags)


@pytest.mark.parametrize("held", [False, True], ids=["never opened", "still open"])
@pytest.mark.parametrize("flags", SCOPES)
def test_a_reaped_process_is_gone_even_while_its_number_names_a_process_group(
    flags: PidfdFlag, held: bool, child: ThreadGroup, spawn: Callable[..., ThreadGroup]
) -> None:
    """A number in use as a process group's only is not a process, whoever knew the process.

    Exit information is for pidfds from before the reap, and there is no other way to it. ESRCH
    since 17f1b08acf50 ("pidfs: ensure consistent ENOENT/ESRCH reporting"), v6.16; before, EINVAL
    told of the number rather than of the process. Beyond the C suite.
    """
    child.leader.call(os.setpgid, 0, 0)
    spawn(role="member").leader.call(os.setpgid, 0, child.pid)
    if held:
        child.pidfd(flags)
    child.kill()
    child.reap()
    os.killpg(child.pid, 0)
    with refused(*moved(errno.ESRCH, old=errno.EINVAL, since=(6, 16))):
        child.pidfd(flags)


@needs(features.PIDFD_THREAD)
def test_a_subthread_that_exited_is_gone(child: ThreadGroup) -> None:
    """Subthreads are reaped by the kernel as they exit: their ids open nothing then.

    Beyond the C suite.
    """
    subthread = child.spawn_thread()
    subthread.exit()
    with refused(errno.ESRCH):
        subthread.pidfd(THREAD)


@needs(features_process.FIRST_KERNEL_THREAD)
@pytest.mark.parametrize("flags", SCOPES)
def test_a_kernel_thread_can_be_opened(flags: PidfdFlag) -> None:
    """A kernel thread has a pidfd like any other task, and it lives on in silence.

    They were taken away in v6.10.7, and service managers failed: 232590ea7fc1 ('Revert "pidfd:
    prevent creation of pidfds for kthreads"'), v6.11. Beyond the C suite.
    """
    with Pidfd.open(features_process.KERNEL_THREAD, flags, "kernel thread's") as pidfd:
        assert pidfd.poll() == PollEvent.NONE
        with refused(errno.ECHILD):
            pidfd.peek()


@needs(features_process.FIRST_KERNEL_THREAD, features.GET_INFO)
@pytest.mark.parametrize("flags", SCOPES)
def test_a_kernel_thread_is_told_as_what_it_is(flags: PidfdFlag) -> None:
    """The first kernel thread is in a thread group of its own, without a parent, and root's.

    Beyond the C suite.
    """
    number = features_process.KERNEL_THREAD
    uids, gids = procfs.ids(number)
    with Pidfd.open(number, flags, "kernel thread's") as pidfd:
        found = pidfd.info()
    assert found._replace(cgroupid=None, mask=found.mask & ~InfoMask.CGROUPID) == PidfdInfo(
        InfoMask.PID | InfoMask.CREDS, number, number, 0, uids, gids
    )


@needs(features_process.PID_NAMESPACE, features.GET_INFO)
def test_numbers_are_those_of_the_callers_pid_namespace() -> None:
    """In a new pid namespace number 1 opens its first process.

    Beyond the C suite.
    """
    first = features_process.pid_1()
    assert first.leader.call(Pidfd.open, 1).info().pid == first.pid


@needs(features_process.PID_NAMESPACE)
def test_processes_outside_the_callers_pid_namespace_have_no_number(child: ThreadGroup) -> None:
    """A process that the caller's pid namespace does not hold is not opened by its number outside.

    Beyond the C suite.
    """
    first = features_process.pid_1()
    with refused(errno.ESRCH):
        first.leader.call(Pidfd.open, child.pid)
