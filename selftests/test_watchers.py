"""Watchers fail where they should; the journal tells things in their order."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from helpers import features, features_process, journal, observe, procfs, syscalls
from helpers.deadline import DeadlineExpired, wait_until
from helpers.gating import needs
from helpers.journal import Entry
from helpers.observe import How, Watcher
from helpers.process import ThreadGroup
from helpers.uapi import WCLONE, PollEvent

every_call = pytest.mark.parametrize("how", How, ids=[how.value for how in How])
Watch = Callable[..., Watcher]


@needs(features.PIDFD_OPEN)
@every_call
def test_silence_is_confirmed_and_the_end_is_seen(
    how: How, child: ThreadGroup, watch: Watch
) -> None:
    """The good case, in each call that a watcher can sleep in."""
    watcher = watch(child.pidfd(), how)
    watcher.assert_silent("nothing happened")
    child.kill()
    found = watcher.assert_notified(PollEvent.IN)
    assert found.events == PollEvent.IN
    assert journal.entries()[0].at < found.at <= journal.entries()[-1].at


@needs(features.PIDFD_OPEN)
@every_call
def test_wakeup_breaks_the_silence(how: How, child: ThreadGroup, watch: Watch) -> None:
    """The text tells who was woken, with what, and by when."""
    watcher = watch(child.pidfd(), how)
    child.kill()
    child.await_end()
    watcher.assert_notified(PollEvent.IN)
    text = rf"^watcher of leader's process \({how.value}\) was woken with IN by the time it ended"
    with pytest.raises(AssertionError, match=text):
        watcher.assert_silent("it ended")


@needs(features.PIDFD_OPEN)
@every_call
def test_quiet_window_catches_a_late_wakeup(
    how: How, child: ThreadGroup, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notification that comes after the event that it should not come before."""
    monkeypatch.setattr(observe, "_quiet_seconds", 20.0)
    watcher = watch(child.pidfd(), how)
    child.leader.call(signal.setitimer, signal.ITIMER_REAL, 0.02)  # and SIGALRM ends it
    with pytest.raises(AssertionError, match="was woken with IN by the time it was ordered to"):
        watcher.assert_silent("it was ordered to", quiet=True)


@needs(features.PIDFD_OPEN)
def test_readiness_without_a_wakeup_breaks_the_silence(
    child: ThreadGroup, spawn: Callable[..., ThreadGroup], watch: Watch
) -> None:
    """A kernel that wakes nobody is told on by poll; here the watcher sleeps on a living child."""
    watcher = watch(child.pidfd())
    ended = spawn()
    ended.kill()
    ended.await_end()
    watcher.pidfd = ended.pidfd()
    with pytest.raises(AssertionError, match=r"^poll says IN of <Pidfd leader's process, .*ended$"):
        watcher.assert_silent("it ended")


_NEVER_WOKEN = r"was not woken within 0.02 s, IN\|HUP was due; a new poll says NONE$"


@needs(features.PIDFD_OPEN)
@every_call
def test_missing_notification_fails_by_the_deadline(
    how: How, child: ThreadGroup, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text tells what was due."""
    monkeypatch.setattr("helpers.deadline._seconds", 0.02)
    watcher = watch(child.pidfd(), how)
    with pytest.raises(AssertionError, match=_NEVER_WOKEN):
        watcher.assert_notified(PollEvent.IN | PollEvent.HUP)


@needs(features.PIDFD_OPEN)
@every_call
def test_wrong_events_fail(how: How, child: ThreadGroup, watch: Watch) -> None:
    """The text tells those that came and those that were due."""
    watcher = watch(child.pidfd(), how)
    child.kill()
    with pytest.raises(AssertionError, match=r"was woken with IN, IN\|HUP was due$"):
        watcher.assert_notified(PollEvent.IN | PollEvent.HUP)


@needs(features.PIDFD_OPEN)
@every_call
def test_return_without_an_event_is_neither_silence_nor_a_notification(
    how: How, child: ThreadGroup, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call without a timeout that comes back empty has told nothing, and sleeps no more."""
    monkeypatch.setattr(syscalls, "poll", lambda wanted, _: dict.fromkeys(wanted, 0))
    monkeypatch.setattr(syscalls, "epoll_wait", lambda *_: {})
    watcher = watch(child.pidfd(), how)
    text = rf"^watcher of .* \({how.value}\) came back from its call without an event$"
    with pytest.raises(AssertionError, match=text):
        watcher.assert_silent("nothing happened")
    with pytest.raises(AssertionError, match=text):
        watcher.assert_notified(PollEvent.IN)
    assert not [entry for entry in journal.entries() if "asleep" in entry.event]


@needs(features.PIDFD_OPEN)
@every_call
def test_closed_watcher_leaves_no_thread(how: How, child: ThreadGroup, watch: Watch) -> None:
    """It is woken from its sleep, not waited for."""
    before = procfs.status("self")["Threads"]
    watch(child.pidfd(), how).close()
    wait_until(lambda: procfs.status("self")["Threads"] == before, "the thread to go")


def test_deadline_tells_what_was_awaited() -> None:
    """And how things stood at the end."""
    with pytest.raises(DeadlineExpired, match=r"^waited 0.01 s in vain for x; found: y$"):
        wait_until(lambda: False, "x", state=lambda: "y", seconds=0.01)


def test_condition_that_holds_needs_no_time() -> None:
    """It is asked before the clock is."""
    wait_until(lambda: True, "nothing", seconds=0)


def test_journal_is_in_the_order_of_times_not_of_reports() -> None:
    """What a child did is reported after the fact."""
    journal.record("test", "third", 3_500_000)
    journal.record("leader", "first", 1_000_000)
    journal.record("a watcher", "second", 1_001_000)
    assert journal.entries()[0] == Entry(1_000_000, "leader", "first")
    assert journal.render().splitlines() == [
        "     0.000 ms  leader     first",
        "     0.001 ms  a watcher  second",
        "     2.500 ms  test       third",
    ]


def test_empty_journal_is_an_empty_text() -> None:
    """And clearing it makes it so."""
    journal.record("test", "something")
    journal.clear()
    assert (journal.entries(), journal.render()) == ([], "")


@needs(features_process.WAIT)
def test_options_of_a_wait_are_told_by_their_names(child: ThreadGroup) -> None:
    """That which is a negative number too: Python 3.9 finds more bits in those than there are."""
    with pytest.raises(ChildProcessError):  # it sends a signal at its end
        child.pidfd().waitid(os.WEXITED | os.WNOHANG | WCLONE)
    assert journal.entries()[-1].event == "waitid(WNOHANG|WEXITED|WCLONE) = ECHILD"
