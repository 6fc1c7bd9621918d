"""Leader and subthreads: each thread's own end, and the end of their group."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from helpers import features, records
from helpers.gating import needs
from helpers.info import Exited, Killed, Outcome
from helpers.observe import Watcher
from helpers.process import ThreadGroup
from helpers.thread import Thread
from helpers.uapi import InfoMask, PidfdFlag, PollEvent

pytestmark = needs(features.INFO_EXIT)


def exits_group(thread: Thread) -> Outcome:
    """The subthread ends the group with a status of its own choice."""
    thread.exit_group(7)
    return Exited(7)


def exits_last(thread: Thread) -> Outcome:
    """The subthread is the last to exit, by itself: its status becomes the group's."""
    thread.exit(5)
    return Exited(5)


def is_killed(thread: Thread) -> Outcome:
    """A signal ends what is left of the group."""
    thread.group.kill(signal.SIGTERM)
    return Killed(signal.SIGTERM)


GROUP_ENDS = pytest.mark.parametrize(
    "end",
    [
        pytest.param(exits_group, id="by exit_group in the subthread"),
        pytest.param(exits_last, id="by exit of the subthread, the last"),
        pytest.param(is_killed, id="by a signal"),
    ],
)


def test_leader_that_exited_alone_has_no_exit_information(
    child: ThreadGroup, scope: PidfdFlag
) -> None:
    """A leader that exited before its subthreads is told as a zombie: by its ids alone.

    Port of pidfd_info.thread_group (pidfd_info_test.c), where nothing waits for its exit.
    """
    child.spawn_thread()
    pidfd = child.pidfd(scope)
    child.leader.exit(3)
    assert pidfd.info(InfoMask.EXIT) == records.of_task(child.leader)


def test_subthread_that_runs_has_no_exit_information(child: ThreadGroup) -> None:
    """A subthread is told by its own id and its group's, while its leader is a zombie.

    Port of pidfd_info.thread_group (pidfd_info_test.c).
    """
    thread = child.spawn_thread()
    pidfd = thread.pidfd(PidfdFlag.THREAD)
    child.leader.exit(3)
    assert pidfd.info(InfoMask.EXIT) == records.of_task(thread)


@GROUP_ENDS
def test_leader_is_told_by_the_end_of_its_group(
    child: ThreadGroup, scope: PidfdFlag, end: Callable[[Thread], Outcome]
) -> None:
    """The status of a leader that exited first gives way to its group's, as waitid has it.

    9133607de37a ("exit: fix the usage of delay_group_leader->exit_code in do_notify_parent() and
    pidfs_exit()"), v6.15. Port of pidfd_info.thread_group (pidfd_info_test.c), where the two
    differ only for SIGKILL.
    """
    thread = child.spawn_thread()
    pidfd = child.pidfd(scope)
    child.leader.exit(3)
    outcome = end(thread)
    child.await_end()
    assert pidfd.info(InfoMask.EXIT) == records.of_task(child.leader)
    assert child.pidfd().peek() == outcome
    assert child.reap() == outcome
    assert pidfd.info(InfoMask.EXIT) == records.of_reaped(outcome)


@GROUP_ENDS
def test_subthread_is_told_by_its_end_before_the_group_is_reaped(
    child: ThreadGroup, watch: Callable[..., Watcher], end: Callable[[Thread], Outcome]
) -> None:
    """Nobody reaps a subthread: it hangs up and tells its exit as soon as it has ended.

    Port of pidfd_info.thread_group (pidfd_info_test.c), where the process is reaped before.
    """
    thread = child.spawn_thread()
    pidfd = thread.pidfd(PidfdFlag.THREAD)
    child.leader.exit(3)
    outcome = end(thread)
    watch(pidfd, events=PollEvent.NONE).assert_notified(PollEvent.HUP)
    assert pidfd.info(InfoMask.EXIT) == records.of_reaped(outcome)


def test_subthread_keeps_the_status_it_exited_with(
    child: ThreadGroup, watch: Callable[..., Watcher]
) -> None:
    """The end of a group does not change what is told of a subthread that exited before.

    Beyond the C suite.
    """
    thread = child.spawn_thread()
    pidfd = thread.pidfd(PidfdFlag.THREAD)
    thread.exit(5)
    watch(pidfd, events=PollEvent.NONE).assert_notified(PollEvent.HUP)
    child.leader.exit_group(7)
    assert child.reap() == Exited(7)
    assert pidfd.info(InfoMask.EXIT) == records.of_reaped(Exited(5))


@pytest.mark.parametrize(
    "by", [pytest.param(0, id="the leader"), pytest.param(1, id="another subthread")]
)
def test_bystanders_are_told_by_the_status_of_their_group(
    child: ThreadGroup, watch: Callable[..., Watcher], by: int
) -> None:
    """exit_group in one thread is the end of all others, with the same status.

    Beyond the C suite.
    """
    child.spawn_thread("actor")
    bystander = child.spawn_thread("bystander")
    pidfd = bystander.pidfd(PidfdFlag.THREAD)
    child.threads[by].exit_group(7)
    watch(pidfd, events=PollEvent.NONE).assert_notified(PollEvent.HUP)
    assert pidfd.info(InfoMask.EXIT) == records.of_reaped(Exited(7))
    assert child.reap() == Exited(7)


def test_leader_that_lives_is_told_by_the_exit_of_its_subthread(
    child: ThreadGroup, scope: PidfdFlag
) -> None:
    """A leader that a subthread's exit_group ends is told by that status.

    Beyond the C suite.
    """
    thread = child.spawn_thread()
    pidfd = child.pidfd(scope)
    thread.exit_group(7)
    assert child.reap() == Exited(7)
    assert pidfd.info(InfoMask.EXIT) == records.of_reaped(Exited(7))


def test_leader_that_was_replaced_is_alive(child: ThreadGroup, scope: PidfdFlag) -> None:
    """After the exec of a subthread the dead leader's pidfds tell the new leader, as alive.

    Port of pidfd_info.thread_group_exec (pidfd_info_test.c).
    """
    thread = child.spawn_thread()
    pidfd = child.pidfd(scope)
    child.leader.exit(3)
    thread.exec()
    answer = pidfd.info(InfoMask.EXIT)
    assert answer == records.of_task(child.leader)
    assert (answer.pid, answer.tgid) == (child.pid, child.pid)


def test_leader_that_was_replaced_is_told_by_its_real_end(
    child: ThreadGroup, scope: PidfdFlag
) -> None:
    """The end of the new leader is told by the pidfds of the old: zombie, then reaped.

    Port of pidfd_info.thread_group_exec (pidfd_info_test.c), which compares no status here.
    """
    thread = child.spawn_thread()
    pidfd = child.pidfd(scope)
    child.leader.exit(3)
    thread.exec()
    child.kill()
    child.await_end()
    assert pidfd.poll() == PollEvent.IN
    assert pidfd.info(InfoMask.EXIT) == records.of_task(child.leader)
    assert child.reap() == Killed(signal.SIGKILL)
    assert pidfd.info(InfoMask.EXIT) == records.of_reaped(Killed(signal.SIGKILL))
