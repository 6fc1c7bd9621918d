"""What ``poll(2)`` and its like say of a pidfd, and when."""

from __future__ import annotations

import errno
import os
import select
import signal
from collections.abc import Callable

import pytest

from helpers import features, features_process, sleepers
from helpers.expect import refused
from helpers.gating import needs
from helpers.info import Killed
from helpers.observe import How, Watcher
from helpers.parameters import SCOPES
from helpers.pidfd import Pidfd
from helpers.poller import Collector
from helpers.process import ThreadGroup
from helpers.uapi import PidfdFlag, PollEvent

pytestmark = needs(features.PIDFD_OPEN)

IN, OUT, HUP, NONE = PollEvent.IN, PollEvent.OUT, PollEvent.HUP, PollEvent.NONE
EVERYTHING = IN | PollEvent.PRI | OUT | PollEvent.RDNORM
CHILDREN = 20


@needs(features_process.SEND_SIGNAL)
def test_each_of_many_children_killed_by_pidfd_notifies(
    spawn: Callable[..., ThreadGroup], watch: Callable[..., Watcher]
) -> None:
    """A watcher is notified of the end of its own process, whatever ends around it.

    b191d6491be6 ("pidfd: fix a poll race when setting exit_state"), v5.3. Port of
    poll_killed_children (pidfd_poll_test.c). There the process may be dead before the
    poll begins, and 10000 repetitions try to hit the other case; here every watcher is asleep
    before the kill.
    """
    pidfds = [spawn(role=f"child {number}").pidfd() for number in range(CHILDREN)]
    watchers = [watch(pidfd) for pidfd in pidfds]
    for pidfd, watcher in zip(pidfds, watchers):
        watcher.assert_silent("others have ended")
        pidfd.send_signal(signal.SIGKILL)
        watcher.assert_notified(IN)
        assert pidfd.peek() == Killed(signal.SIGKILL)


@pytest.mark.parametrize(
    "call", [lambda fd: os.read(fd, 1), lambda fd: os.write(fd, b"x")], ids=["read", "write"]
)
def test_a_readable_pidfd_has_nothing_to_read(
    call: Callable[[int], object], child: ThreadGroup
) -> None:
    """POLLIN tells of the end, and that is all: to read or to write is EINVAL.

    ``pidfd_open(2)``. Beyond the C suite.
    """
    pidfd = child.pidfd()
    child.kill()
    child.await_end()
    assert pidfd.poll() == IN
    with refused(errno.EINVAL):
        call(pidfd.fileno())


@pytest.mark.parametrize("flags", SCOPES)
def test_a_living_process_has_no_event(flags: PidfdFlag, child: ThreadGroup) -> None:
    """Nothing can be read, and nothing is ever to be written.

    Beyond the C suite.
    """
    assert child.pidfd(flags).poll(asked=EVERYTHING) == NONE


@pytest.mark.parametrize("flags", SCOPES)
def test_a_zombie_is_readable_and_nothing_else(flags: PidfdFlag, child: ThreadGroup) -> None:
    """The end of a process is POLLIN and POLLRDNORM; POLLHUP waits for the reap.

    Port of poll_killed_children (pidfd_poll_test.c), which passes with any other event beside
    POLLIN.
    """
    child.kill()
    child.await_end()
    assert child.pidfd(flags).poll(asked=EVERYTHING) == IN | PollEvent.RDNORM


@needs(features_process.POLL_HUP)
@pytest.mark.parametrize("flags", SCOPES)
def test_a_reaped_process_hangs_up(flags: PidfdFlag, child: ThreadGroup) -> None:
    """POLLHUP tells that the process is reaped; it stays readable, and never writable.

    Beyond the C suite.
    """
    pidfd = child.pidfd(flags)
    child.kill()
    child.reap()
    assert pidfd.poll(asked=EVERYTHING) == IN | PollEvent.RDNORM | HUP


@needs(features_process.POLL_HUP)
def test_a_watcher_of_the_hangup_alone_sleeps_until_the_reap(
    child: ThreadGroup, watch: Callable[..., Watcher]
) -> None:
    """Who asks for no event sleeps on when the process ends, and wakes when it is reaped.

    Beyond the C suite.
    """
    watcher = watch(child.pidfd(), events=NONE)
    child.kill()
    child.await_end()
    watcher.assert_silent("the child is a zombie")
    child.reap()
    watcher.assert_notified(HUP)


@needs(features_process.POLL_HUP)
def test_an_edge_triggered_epoll_tells_the_end_and_the_reap(child: ThreadGroup) -> None:
    """The end and the reap are an event each.

    Beyond the C suite.
    """
    with Collector(child.pidfd()) as collector:
        assert collector.take() == []
        child.kill()
        child.await_end()
        assert collector.take() == [IN]
        child.reap()
        assert collector.take() == [IN | HUP]


@needs(features_process.POLL_HUP)
def test_a_child_that_the_kernel_reaps_hangs_up(
    child: ThreadGroup, watch: Callable[..., Watcher]
) -> None:
    """Where the parent ignores SIGCHLD nobody waits, and the pidfd tells the end all the same.

    Beyond the C suite.
    """
    child.leader.call(signal.signal, signal.SIGCHLD, signal.SIG_IGN)
    grandchild = child.leader.fork()
    watcher = watch(grandchild.pidfd(), events=NONE)
    grandchild.kill()
    watcher.assert_notified(HUP)


@needs(features_process.SEND_SIGNAL)
@pytest.mark.parametrize("how", How, ids=lambda how: how.value)
def test_every_sleeper_on_one_pidfd_wakes(
    how: How, child: ThreadGroup, watch: Callable[..., Watcher]
) -> None:
    """The notification is for all who sleep, not for the first of them.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    watchers = [watch(pidfd, how) for _ in range(5)]
    pidfd.send_signal(signal.SIGKILL)
    for watcher in watchers:
        watcher.assert_notified(IN)


def test_sleepers_on_different_pidfds_of_one_process_all_wake(
    child: ThreadGroup, watch: Callable[..., Watcher]
) -> None:
    """Pidfds opened one by one, a duplicate, and every call to sleep in: all are notified.

    Beyond the C suite.
    """
    pidfds = [child.pidfd() for _ in How]
    watchers = [watch(pidfd, how) for pidfd, how in zip(pidfds, How)]
    watchers.append(watch(pidfds[0].dup()))
    child.kill()
    for watcher in watchers:
        watcher.assert_notified(IN)


def test_a_process_that_is_no_parent_is_notified(
    child: ThreadGroup, spawn: Callable[..., ThreadGroup]
) -> None:
    """Whoever holds a pidfd may poll it, however it came by it.

    Beyond the C suite.
    """
    stranger = spawn(role="stranger")
    order = sleepers.begin_poll(stranger.leader, child.pidfd())
    assert not order.done(), "the poll was over before the child was killed"
    child.kill()
    assert order.result() == IN


def test_a_pidfd_of_the_poller_itself_has_no_event() -> None:
    """A process that polls itself lives.

    Beyond the C suite.
    """
    with Pidfd.open(os.getpid(), role="own") as own:
        assert own.poll(asked=EVERYTHING) == NONE


def test_a_stop_and_a_continue_do_not_notify(
    child: ThreadGroup, watch: Callable[..., Watcher]
) -> None:
    """Only the end notifies; the parent sees a stop by ``waitid``, a watcher of the pidfd does not.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    watcher = watch(pidfd)
    child.kill(signal.SIGSTOP)
    sleepers.await_state(pidfd, os.WSTOPPED)
    watcher.assert_silent("the child has stopped")
    child.kill(signal.SIGCONT)
    child.leader.call(os.getpid)
    watcher.assert_silent("the child goes on", quiet=True)
    child.kill()
    watcher.assert_notified(IN)


@pytest.mark.parametrize("flags", SCOPES)
def test_an_exec_does_not_notify(
    flags: PidfdFlag, child: ThreadGroup, watch: Callable[..., Watcher]
) -> None:
    """A process is the same one after it has executed another program.

    Beyond the C suite, whose execs are those of subthreads.
    """
    watcher = watch(child.pidfd(flags))
    child.leader.exec()
    watcher.assert_silent("the new image runs")
    child.kill()
    watcher.assert_notified(IN)


@needs(features.PIDFD_THREAD, features_process.POLL_HUP)
def test_a_subthread_that_exits_hangs_up_at_once(
    child: ThreadGroup, watch: Callable[..., Watcher]
) -> None:
    """The kernel reaps a subthread as it exits: both events come, and the process lives on.

    Beyond the C suite.
    """
    subthread = child.spawn_thread()
    pidfd, process = subthread.pidfd(PidfdFlag.THREAD), child.pidfd()
    watcher = watch(pidfd, events=NONE)
    subthread.exit()
    watcher.assert_notified(HUP)
    assert (pidfd.poll(), process.poll()) == (IN | HUP, NONE)


def test_select_tells_the_end_as_readable(child: ThreadGroup) -> None:
    """The end makes a pidfd readable for ``select(2)``, and neither writable nor exceptional.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    assert select.select([pidfd], [pidfd], [pidfd], 0) == ([], [], [])
    child.kill()
    child.await_end()
    assert select.select([pidfd], [pidfd], [pidfd], 0) == ([pidfd], [], [])
