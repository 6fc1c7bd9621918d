"""A child made with CLONE_PIDFD_AUTOKILL is killed by the last close of the pidfd of that call.

The kernel kills before ``close`` returns, and a killed child answers no more. So an answer that
was asked for after the close proves that the child lives on.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from helpers import autoreap, features, others, rights, syscalls
from helpers.autokill import assert_alive, assert_killed
from helpers.autoreap import AUTOKILL, AUTOREAP, bear
from helpers.features_autoreap import AUTOKILL as HAS_AUTOKILL
from helpers.features_files import FILE_HANDLE, REOPEN
from helpers.features_getfd import SIBLING_GETFD
from helpers.features_process import CLONE3, USER_CHANGE
from helpers.gating import needs
from helpers.info import Exited
from helpers.observe import Watcher
from helpers.others import Other
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.thread import Thread
from helpers.uapi import PR_SET_PDEATHSIG, InfoMask, PollEvent
from helpers.wire import Channel

pytestmark = needs(CLONE3, HAS_AUTOKILL, features.INFO_EXIT)


def test_close_kills(child: ThreadGroup) -> None:
    """The close of the only descriptor kills the child, which the kernel reaps.

    Port of autokill_basic (pidfd_autoreap_test.c), which does not ask what the child died of, and
    looks for a zombie where none shows.
    """
    made, pidfd = bear(child.leader, AUTOKILL)
    observer = made.pidfd()
    assert_alive(made, observer)
    pidfd.close()
    assert_killed(child, made, observer)


def test_close_kills_every_thread(child: ThreadGroup) -> None:
    """The whole group is killed, though its leader has exited before.

    Beyond the C suite.
    """
    made, pidfd = bear(child.leader, AUTOKILL)
    observer, thread = made.pidfd(), made.spawn_thread()
    made.leader.exit(3)
    assert thread.call(os.getpid) == made.pid
    pidfd.close()
    assert_killed(child, made, observer)


def test_exec_does_not_lift_autokill(child: ThreadGroup) -> None:
    """The close kills what the child has become by an exec.

    Beyond the C suite.
    """
    made, pidfd = bear(child.leader, AUTOKILL)
    observer = made.pidfd()
    made.leader.exec()
    pidfd.close()
    assert_killed(child, made, observer)


def test_duplicate_keeps_the_child_alive(child: ThreadGroup) -> None:
    """A duplicate is the same open file: only the close of both kills.

    Beyond the C suite.
    """
    made, pidfd = bear(child.leader, AUTOKILL)
    observer, duplicate = made.pidfd(), pidfd.dup()
    pidfd.close()
    assert_alive(made, observer)
    duplicate.close()
    assert_killed(child, made, observer)


@needs(SIBLING_GETFD)
def test_copy_by_pidfd_getfd_keeps_the_child_alive(
    child: ThreadGroup, spawn: Callable[..., ThreadGroup]
) -> None:
    """A descriptor that another process copied for itself holds the child alive.

    Beyond the C suite.
    """
    made, pidfd = bear(child.leader, AUTOKILL)
    observer, thief = made.pidfd(), spawn(role="thief")
    thief.leader.call(autoreap.keep_copy_of, Pidfd.open(os.getpid()), pidfd.fileno())
    pidfd.close()
    assert_alive(made, observer)
    thief.leader.call(autoreap.let_go)
    assert_killed(child, made, observer)


def test_status_flags_do_not_lift_autokill(child: ThreadGroup) -> None:
    """F_SETFL, O_NONBLOCK on and all flags off, leaves the last close what it is.

    Beyond the C suite.
    """
    made, pidfd = bear(child.leader, AUTOKILL)
    observer = made.pidfd()
    pidfd.status_flags |= os.O_NONBLOCK
    pidfd.status_flags = 0
    pidfd.close()
    assert_killed(child, made, observer)


def test_copy_in_a_forked_process_keeps_the_child_alive(child: ThreadGroup) -> None:
    """A descriptor inherited by ``fork`` holds the child alive, until its process ends.

    Beyond the C suite.
    """
    made, pidfd = bear(child.leader, AUTOKILL)
    observer = made.pidfd()
    heir = autoreap.fork_with_copy(child.leader, pidfd)
    pidfd.close()
    assert_alive(made, observer)
    heir.kill()
    assert_killed(child, made, observer)


def test_copy_sent_to_another_process_keeps_the_child_alive(
    child: ThreadGroup, spawn: Callable[..., ThreadGroup]
) -> None:
    """A descriptor received over a socket holds the child alive, until the receiver closes it.

    Beyond the C suite.
    """
    made, pidfd = bear(child.leader, AUTOKILL)
    observer, receiver = made.pidfd(), spawn(role="receiver")
    receiver.leader.call(autoreap.keep, pidfd)
    pidfd.close()
    assert_alive(made, observer)
    receiver.leader.call(autoreap.let_go)
    assert_killed(child, made, observer)


@needs(USER_CHANGE)
def test_close_by_another_user_kills(child: ThreadGroup, spawn: Callable[..., ThreadGroup]) -> None:
    """Who closes last needs no right over the child.

    Beyond the C suite.
    """
    made, pidfd = bear(child.leader, AUTOKILL)
    observer, holder = made.pidfd(), spawn(role="holder")
    holder.leader.call(autoreap.keep, pidfd)
    holder.leader.call(rights.become, rights.OTHER_USER)
    pidfd.close()
    assert_alive(made, observer)
    holder.leader.call(autoreap.let_go)
    assert_killed(child, made, observer)


def test_copy_on_its_way_keeps_the_child_alive(child: ThreadGroup) -> None:
    """A descriptor sent over a socket and not yet received holds the child alive.

    Beyond the C suite.
    """
    made, pidfd = bear(child.leader, AUTOKILL)
    observer, (sender, receiver) = made.pidfd(), Channel.pair("mail")
    sender.send(pidfd)
    pidfd.close()
    assert_alive(made, observer)
    sender.close()
    receiver.close()
    assert_killed(child, made, observer)


@pytest.mark.parametrize("leave", [Thread.exit_group, Thread.exec], ids=["exit", "exec"])
def test_end_of_the_last_holder_kills(
    child: ThreadGroup, spawn: Callable[..., ThreadGroup], leave: Callable[[Thread], None]
) -> None:
    """What closes the last descriptor by the way kills as well: exit, and exec by FD_CLOEXEC.

    Beyond the C suite.
    """
    made, pidfd = bear(child.leader, AUTOKILL)
    observer, holder = made.pidfd(), spawn(role="holder")
    holder.leader.call(autoreap.keep, pidfd)
    pidfd.close()
    assert_alive(made, observer)
    leave(holder.leader)
    assert_killed(child, made, observer)


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
    assert_alive(made, observer)
    pidfd.close()
    assert_killed(child, made, observer)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(others.opened_again, id="pidfd_open"),
        pytest.param(others.opened_as_thread, id="pidfd_open of the leader as thread"),
        pytest.param(others.by_link, id="link in proc", marks=needs(REOPEN)),
        pytest.param(others.by_handle, id="file handle", marks=needs(FILE_HANDLE)),
    ],
)
def test_other_pidfds_neither_kill_nor_keep_alive(child: ThreadGroup, other: Other) -> None:
    """A pidfd opened otherwise is closed without effect, and does not keep the child alive.

    Port of autokill_pidfd_open_no_effect (pidfd_autoreap_test.c), which tries pidfd_open only, and
    sleeps 0.2 s for a kill that would have come at once.
    """
    made, pidfd = bear(child.leader, AUTOKILL)
    observer = made.pidfd()
    other(made, pidfd).close()
    assert_alive(made, observer)
    held = other(made, pidfd)
    pidfd.close()
    assert_killed(child, made, observer)
    held.close()


def test_autoreap_alone_does_not_kill(child: ThreadGroup) -> None:
    """Without CLONE_PIDFD_AUTOKILL the close of clone's pidfd has no effect.

    Beyond the C suite.
    """
    made, pidfd = bear(child.leader, AUTOREAP)
    observer = made.pidfd()
    pidfd.close()
    assert_alive(made, observer)


def test_close_after_the_end_has_no_effect(child: ThreadGroup) -> None:
    """The close of the pidfd of a process that is gone changes nothing of what is known of it.

    Beyond the C suite.
    """
    made, pidfd = bear(child.leader, AUTOKILL)
    observer = made.pidfd()
    made.leader.exit_group(5)
    Watcher(observer, events=PollEvent.NONE).assert_notified(PollEvent.HUP)
    before = observer.info(InfoMask.EXIT)
    assert before.exit == Exited(5)
    pidfd.close()
    assert observer.info(InfoMask.EXIT) == before
