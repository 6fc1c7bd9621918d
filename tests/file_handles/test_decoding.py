"""A handle leads back to the process, for those who may see the process, until it is reaped."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable

import pytest

from helpers import features, filesystem, procfs, signals
from helpers.descriptor import Descriptor
from helpers.expect import refused
from helpers.features_files import FILE_HANDLE, HANDLE_CLOEXEC, HANDLE_THREAD
from helpers.features_process import SEND_SIGNAL
from helpers.gating import needs
from helpers.info import Killed
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.uapi import CloneFlag, InfoMask, PidfdFlag

pytestmark = needs(FILE_HANDLE)

_NAMESPACES = CloneFlag.NEWUSER | CloneFlag.NEWPID


@needs(SEND_SIGNAL)
@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(CloneFlag.NONE, id="same pid namespace"),
        pytest.param(
            _NAMESPACES, id="child pid namespace", marks=needs(features.UNPRIVILEGED_PID_NAMESPACE)
        ),
    ],
)
def test_handle_leads_back_to_the_process(
    anchor: Pidfd, spawn: Callable[..., ThreadGroup], flags: CloneFlag
) -> None:
    """What is opened by a handle is the same file, and a pidfd that works.

    Port of file_handle.file_handle_same_pidns and file_handle_child_pidns
    (pidfd_file_handle_test.c), which never use what they opened as a pidfd.
    """
    child = spawn(flags)
    pidfd = child.pidfd()
    opened = filesystem.open_handle(anchor, filesystem.handle_of(pidfd))
    assert filesystem.identity(opened) == filesystem.identity(pidfd)
    assert opened.info() == pidfd.info()
    opened.send_signal(signal.SIGKILL)
    assert child.reap() == Killed(signal.SIGKILL)


def test_handle_outlives_every_descriptor(anchor: Pidfd, child: ThreadGroup) -> None:
    """A handle leads to its process when all pidfds that it could be taken from are closed.

    Port of file_handle.pid_has_exited (pidfd_file_handle_test.c), the part before the exit.
    """
    with child.pidfd() as pidfd:
        handle, identity = filesystem.handle_of(pidfd), filesystem.identity(pidfd)
    assert filesystem.identity(filesystem.open_handle(anchor, handle)) == identity


def test_handle_travels_to_other_processes(child: ThreadGroup) -> None:
    """Anyone who sees the process can open the handle, by a pidfd of his own.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    seen = child.leader.call(filesystem.open_handle_in_ns, filesystem.handle_of(pidfd))
    assert seen == filesystem.identity(pidfd)


@needs(features.UNPRIVILEGED_PID_NAMESPACE)
@pytest.mark.parametrize("through", ["a pidfd of its own", "a pidfd of ours"])
def test_handle_from_a_foreign_pid_namespace_is_stale(
    anchor: Pidfd, child: ThreadGroup, spawn: Callable[..., ThreadGroup], through: str
) -> None:
    """A caller whose pid namespace does not show the process is refused with ESTALE.

    Port of file_handle.file_handle_foreign_pidns (pidfd_file_handle_test.c), which takes any
    errno for a refusal and has no control. Here the same handle opens for us, and the foreigner
    opens the handle of a process that it sees.
    """
    foreigner = spawn(_NAMESPACES, "foreigner")
    handle = filesystem.handle_of(child.pidfd())
    with refused(errno.ESTALE):
        if through == "a pidfd of ours":
            foreigner.leader.call(filesystem.open_handle, anchor, handle)
        else:
            foreigner.leader.call(filesystem.open_handle_in_ns, handle)
    own = foreigner.pidfd()
    seen = foreigner.leader.call(filesystem.open_handle_in_ns, filesystem.handle_of(own))
    assert seen == filesystem.identity(own)
    assert filesystem.open_handle(anchor, handle).info().pid == child.pid


def test_handle_of_a_zombie_can_be_opened(anchor: Pidfd, child: ThreadGroup) -> None:
    """An exit makes no handle stale: the zombie still is a process.

    Port of file_handle.pid_has_exited (pidfd_file_handle_test.c), which does not look at what it
    opened.
    """
    with child.pidfd() as pidfd:
        handle, identity = filesystem.handle_of(pidfd), filesystem.identity(pidfd)
    child.kill()
    child.await_end()
    opened = filesystem.open_handle(anchor, handle)
    assert filesystem.identity(opened) == identity
    assert opened.peek() == Killed(signal.SIGKILL)


@pytest.mark.parametrize(
    "held",
    [
        pytest.param(False, id="no pidfd left"),
        pytest.param(True, id="a pidfd still open", marks=needs(features.INFO_EXIT)),
    ],
)
def test_handle_of_a_reaped_process_is_stale(anchor: Pidfd, child: ThreadGroup, held: bool) -> None:
    """From the reap on a handle is refused with ESTALE, even while a pidfd is held.

    Port of file_handle.pid_has_been_reaped (pidfd_file_handle_test.c), which takes any errno for
    a refusal and never holds a pidfd.
    """
    pidfd = child.pidfd()
    handle = filesystem.handle_of(pidfd)
    filesystem.open_handle(anchor, handle).close()
    child.kill()
    if not held:
        pidfd.close()
    child.reap()
    with refused(errno.ESTALE):
        filesystem.open_handle(anchor, handle)
    if held:
        assert pidfd.info(InfoMask.EXIT).exit == Killed(signal.SIGKILL)


@needs(HANDLE_CLOEXEC)
@pytest.mark.parametrize("asked", [False, True], ids=["not asked for", "asked for"])
def test_close_on_exec_is_set_only_when_asked_for(
    anchor: Pidfd, child: ThreadGroup, asked: bool
) -> None:
    """``O_CLOEXEC`` decides over FD_CLOEXEC, as for every file opened by a handle.

    It was set always until b5ca88927e35 ("fhandle: do_handle_open() should get FD with user
    flags"), v6.17 and v6.16.4. Beyond the C suite, which opens with it and without it and never
    looks.
    """
    handle = filesystem.handle_of(child.pidfd())
    opened = filesystem.open_handle(anchor, handle, os.O_CLOEXEC if asked else 0)
    assert opened.closes_on_exec is asked


@needs(HANDLE_THREAD, features.PIDFD_THREAD)
def test_thread_scope_is_kept(anchor: Pidfd, child: ThreadGroup) -> None:
    """A thread's pidfd opened by its handle with ``O_EXCL`` speaks to that thread alone.

    bb6bc13c53e2 ("pidfs: preserve thread pidfds reopened by file handle"), v7.2. Port of
    file_handle.open_by_handle_at_valid_flags (pidfd_file_handle_test.c), which looks at the flag
    only.
    """
    child.leader.call(signals.block, signal.SIGUSR1)
    thread = child.spawn_thread()
    handle = filesystem.handle_of(thread.pidfd(PidfdFlag.THREAD))
    opened = filesystem.open_handle(anchor, handle, PidfdFlag.THREAD)
    assert opened.status_flags == os.O_RDWR | PidfdFlag.THREAD
    opened.send_signal(signal.SIGUSR1)
    assert procfs.pending_signals(child.pid, thread.tid) == ({signal.SIGUSR1}, set())
    assert procfs.pending_signals(child.pid) == (set(), set())
    assert opened.info().pid == thread.tid


def test_handles_are_the_same_from_every_pidfd(anchor: Pidfd, child: ThreadGroup) -> None:
    """A handle names the process, not the descriptor that it was taken from.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    handle = filesystem.handle_of(pidfd)
    others: list[Descriptor] = [
        child.pidfd(PidfdFlag.NONBLOCK),
        pidfd.dup(),
        filesystem.open_handle(anchor, handle),
    ]
    assert [filesystem.handle_of(other) for other in others] == [handle] * 3
    assert filesystem.handle_of(anchor) != handle
