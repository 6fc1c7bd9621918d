"""A child made with CLONE_PIDFD_AUTOKILL is killed by the last close of the pidfd of that call.

The kernel kills before ``close`` returns, and a killed child answers no more. So an answer that
was asked for after the close proves that the child lives on.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable

import pytest

from helpers import autoreap, features, filesystem, syscalls
from helpers.autoreap import AUTOKILL, AUTOREAP, bear, wait_for
from helpers.expect import refused
from helpers.features_autoreap import AUTOKILL as HAS_AUTOKILL
from helpers.features_files import FILE_HANDLE, REOPEN
from helpers.features_process import CLONE3
from helpers.gating import needs
from helpers.info import Killed
from helpers.observe import Watcher
from helpers.pidfd import Pidfd
from helpers.process import Thread, ThreadGroup
from helpers.uapi import PR_SET_PDEATHSIG, CloneFlag, InfoMask, PidfdFlag, PollEvent
from helpers.wire import Channel

pytestmark = needs(CLONE3, HAS_AUTOKILL, features.INFO_EXIT)


def _assert_killed(parent: ThreadGroup, made: ThreadGroup, observer: Pidfd) -> None:
    """Killed, and reaped by the kernel."""
    Watcher(observer, events=PollEvent.NONE).assert_notified(PollEvent.HUP)
    assert observer.info(InfoMask.EXIT).exit == Killed(signal.SIGKILL)
    with refused(errno.ECHILD):
        parent.leader.call(wait_for, made.pid)


def _assert_alive(made: ThreadGroup, observer: Pidfd) -> None:
    assert made.leader.call(os.getpid) == made.pid
    assert observer.poll() == PollEvent.NONE


def test_close_kills(child: ThreadGroup) -> None:
    """The close of the only descriptor kills the child, which the kernel reaps.

    Port of autokill_basic (pidfd_autoreap_test.c), which does not ask what the child died of, and
    looks for a zombie where none shows.
    """
    made, pidfd = bear(child.leader, AUTOKILL)
    observer = made.pidfd()
    _assert_alive(made, observer)
    pidfd.close()
    _assert_killed(child, made, observer)


def test_close_kills_every_thread(child: ThreadGroup) -> None:
    """The whole group is killed, though its leader has exited before.

    Beyond the C suite.
    """
    made, pidfd = bear(child.leader, AUTOKILL)
    observer, thread = made.pidfd(), made.spawn_thread()
    made.leader.exit(3)
    assert thread.call(os.getpid) == made.pid
    pidfd.close()
    _assert_killed(child, made, observer)


def test_exec_does_not_lift_the_sentence(child: ThreadGroup) -> None:
    """The close kills what the child has become by an exec.

    Beyond the C suite.
    """
    made, pidfd = bear(child.leader, AUTOKILL)
    observer = made.pidfd()
    made.leader.exec()
    pidfd.close()
    _assert_killed(child, made, observer)


def test_duplicate_holds(child: ThreadGroup) -> None:
    """A duplicate is the same open file: only the close of both kills.

    Beyond the C suite.
    """
    made, pidfd = bear(child.leader, AUTOKILL)
    observer, duplicate = made.pidfd(), pidfd.dup()
    pidfd.close()
    _assert_alive(made, observer)
    duplicate.close()
    _assert_killed(child, made, observer)


def test_copy_by_pidfd_getfd_holds(child: ThreadGroup, spawn: Callable[..., ThreadGroup]) -> None:
    """A descriptor that another process copied for itself holds the child alive.

    Beyond the C suite.
    """
    made, pidfd = bear(child.leader, AUTOKILL)
    observer, thief = made.pidfd(), spawn(role="thief")
    thief.leader.call(autoreap.keep_copy_of, Pidfd.open(os.getpid()), pidfd.fileno())
    pidfd.close()
    _assert_alive(made, observer)
    thief.leader.call(autoreap.let_go)
    _assert_killed(child, made, observer)


def test_flags_of_the_description_do_not_lift_the_sentence(child: ThreadGroup) -> None:
    """F_SETFL, O_NONBLOCK on and off, leaves the last close what it is.

    Beyond the C suite.
    """
    made, pidfd = bear(child.leader, AUTOKILL)
    observer = made.pidfd()
    pidfd.status_flags |= os.O_NONBLOCK
    pidfd.status_flags &= ~os.O_NONBLOCK
    pidfd.close()
    _assert_killed(child, made, observer)


def test_copy_in_a_forked_process_holds(child: ThreadGroup) -> None:
    """A descriptor inherited by ``fork`` holds the child alive, until its process ends.

    Beyond the C suite.
    """
    made, pidfd = bear(child.leader, AUTOKILL)
    observer = made.pidfd()
    heir = autoreap.fork_with_copy(child.leader, pidfd)
    pidfd.close()
    _assert_alive(made, observer)
    heir.kill()
    _assert_killed(child, made, observer)


def test_copy_sent_to_another_process_holds(
    child: ThreadGroup, spawn: Callable[..., ThreadGroup]
) -> None:
    """A descriptor received over a socket holds the child alive, until the receiver closes it.

    Beyond the C suite.
    """
    made, pidfd = bear(child.leader, AUTOKILL)
    observer, receiver = made.pidfd(), spawn(role="receiver")
    receiver.leader.call(autoreap.keep, pidfd)
    pidfd.close()
    _assert_alive(made, observer)
    receiver.leader.call(autoreap.let_go)
    _assert_killed(child, made, observer)


def test_copy_on_its_way_holds(child: ThreadGroup) -> None:
    """A descriptor sent over a socket and not yet received holds the child alive.

    Beyond the C suite.
    """
    made, pidfd = bear(child.leader, AUTOKILL)
    observer, (sender, receiver) = made.pidfd(), Channel.pair("mail")
    sender.send(pidfd)
    pidfd.close()
    _assert_alive(made, observer)
    sender.close()
    receiver.close()
    _assert_killed(child, made, observer)


@pytest.mark.parametrize("leave", [Thread.exit_group, Thread.exec], ids=["exit", "exec"])
def test_end_of_the_holder_closes(
    child: ThreadGroup, spawn: Callable[..., ThreadGroup], leave: Callable[[Thread], None]
) -> None:
    """What closes the last descriptor by the way kills as well: exit, and exec by FD_CLOEXEC.

    Beyond the C suite.
    """
    made, pidfd = bear(child.leader, AUTOKILL)
    observer, holder = made.pidfd(), spawn(role="holder")
    holder.leader.call(autoreap.keep, pidfd)
    pidfd.close()
    _assert_alive(made, observer)
    leave(holder.leader)
    _assert_killed(child, made, observer)


def test_end_of_the_parent_does_not_kill(child: ThreadGroup) -> None:
    """Who holds the pidfd decides, not who made the child.

    Beyond the C suite.
    """
    middle = child.leader.fork(role="middle")
    made, pidfd = bear(middle.leader, AUTOKILL)
    made.leader.call(syscalls.prctl, PR_SET_PDEATHSIG, 0)
    observer = made.pidfd()
    middle.leader.exit_group()
    middle.reap()
    _assert_alive(made, observer)
    pidfd.close()
    _assert_killed(child, made, observer)


def _by_pid(made: ThreadGroup, _: Pidfd) -> Pidfd:
    return made.pidfd()


def _as_thread(made: ThreadGroup, _: Pidfd) -> Pidfd:
    return made.pidfd(PidfdFlag.THREAD)


def _by_link(_: ThreadGroup, pidfd: Pidfd) -> Pidfd:
    return filesystem.reopen(pidfd)


def _by_link_truncating(_: ThreadGroup, pidfd: Pidfd) -> Pidfd:
    # The bit that marks autokill inside the kernel.
    return filesystem.reopen(pidfd, os.O_RDWR | os.O_TRUNC)


def _by_handle(_: ThreadGroup, pidfd: Pidfd) -> Pidfd:
    return filesystem.open_handle(pidfd, filesystem.handle_of(pidfd))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(_by_pid, id="pidfd_open"),
        pytest.param(_as_thread, id="pidfd_open of the leader as thread"),
        pytest.param(_by_link, id="link in proc", marks=needs(REOPEN)),
        pytest.param(_by_link_truncating, id="link in proc, O_TRUNC", marks=needs(REOPEN)),
        pytest.param(_by_handle, id="file handle", marks=needs(FILE_HANDLE)),
    ],
)
def test_other_pidfds_neither_kill_nor_hold(
    child: ThreadGroup, other: Callable[[ThreadGroup, Pidfd], Pidfd]
) -> None:
    """A pidfd opened otherwise is closed without effect, and does not keep the child alive.

    Port of autokill_pidfd_open_no_effect (pidfd_autoreap_test.c), which tries pidfd_open only, and
    sleeps 0.2 s for a kill that would have come at once.
    """
    made, pidfd = bear(child.leader, AUTOKILL)
    observer = made.pidfd()
    other(made, pidfd).close()
    _assert_alive(made, observer)
    held = other(made, pidfd)
    pidfd.close()
    _assert_killed(child, made, observer)
    held.close()


def test_autoreap_alone_does_not_kill(child: ThreadGroup) -> None:
    """Without CLONE_PIDFD_AUTOKILL the close of clone's pidfd has no effect.

    Beyond the C suite.
    """
    made, pidfd = bear(child.leader, AUTOREAP)
    observer = made.pidfd()
    pidfd.close()
    _assert_alive(made, observer)


def test_close_after_the_end_has_no_effect(child: ThreadGroup) -> None:
    """The close of the pidfd of a process that is gone changes nothing of what is known of it.

    Beyond the C suite.
    """
    made, pidfd = bear(child.leader, AUTOKILL)
    observer = made.pidfd()
    made.leader.exit_group(5)
    Watcher(observer, events=PollEvent.NONE).assert_notified(PollEvent.HUP)
    before = observer.info(InfoMask.EXIT)
    pidfd.close()
    assert observer.info(InfoMask.EXIT) == before


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        pytest.param(AUTOKILL & ~CloneFlag.PIDFD, None, id="without CLONE_PIDFD"),
        pytest.param(AUTOKILL & ~CloneFlag.AUTOREAP, AUTOKILL, id="without CLONE_AUTOREAP"),
        pytest.param(
            AUTOKILL | autoreap.THREAD, CloneFlag.PIDFD | autoreap.THREAD, id="with CLONE_THREAD"
        ),
    ],
)
def test_flags_that_it_needs(child: ThreadGroup, wrong: CloneFlag, right: CloneFlag | None) -> None:
    """CLONE_PIDFD and CLONE_AUTOREAP must be there, CLONE_THREAD must not: EINVAL.

    Port of autokill_requires_pidfd, autokill_requires_autoreap and autokill_rejects_thread
    (pidfd_autoreap_test.c), which pass on every kernel that does not know the flag. Here the
    kernel takes the call without the mistake, as far as the pidfd that it cannot store.
    """
    with refused(errno.EFAULT):
        child.leader.call(autoreap.ask, right or AUTOKILL)
    with refused(errno.EINVAL):
        child.leader.call(autoreap.ask, wrong)


def test_child_that_could_gain_rights_needs_a_privilege(child: ThreadGroup) -> None:
    """Without CLONE_NNP the caller needs CAP_SYS_ADMIN: EPERM; with it anyone may ask.

    Port of autokill_requires_cap_sys_admin (pidfd_autoreap_test.c), which fails on kernels that do
    not know the flag, and has no control.
    """
    child.leader.call(syscalls.drop_capabilities)
    with refused(errno.EPERM):
        child.leader.call(autoreap.ask, AUTOKILL & ~CloneFlag.NNP)
    made, pidfd = bear(child.leader, AUTOKILL)
    observer = made.pidfd()
    pidfd.close()
    _assert_killed(child, made, observer)


@needs(features.USER_NAMESPACE)
def test_privilege_over_the_own_user_namespace_is_enough(
    spawn: Callable[..., ThreadGroup],
) -> None:
    """CAP_SYS_ADMIN in the caller's user namespace lets it do without CLONE_NNP.

    Port of autokill_without_nnp_with_cap (pidfd_autoreap_test.c), which needs root, and never
    closes the pidfd of a living child.
    """
    parent = spawn(CloneFlag.NEWUSER, "parent")
    made, pidfd = bear(parent.leader, AUTOKILL & ~CloneFlag.NNP)
    observer = made.pidfd()
    pidfd.close()
    _assert_killed(parent, made, observer)
