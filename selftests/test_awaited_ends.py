"""The end of a task as it is awaited: what is taken for it, and what an order that fails says."""

from __future__ import annotations

import os

import pytest

from helpers import procfs, syscalls
from helpers.deadline import DeadlineExpired
from helpers.process import ThreadGroup


def test_zombie_that_nobody_traces_is_awaited_until_it_is_gone(
    child: ThreadGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A subthread shows as Z for a moment before it is released; a leader may stay one."""
    thread = child.spawn_thread()
    monkeypatch.setattr(procfs, "task_state", lambda *_: "Z")
    monkeypatch.setattr("helpers.deadline._seconds", 0.02)
    with pytest.raises(DeadlineExpired, match="for the end of <Thread subthread 1, .* a zombie$"):
        thread.await_end()
    child.leader.await_end()


@pytest.mark.parametrize("everyone", [False, True], ids=["exit", "exit_group"])
def test_order_to_end_that_is_refused_is_raised(
    everyone: bool, child: ThreadGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the errno, and at once: nobody waits for what does not come."""
    monkeypatch.setattr(os, "_exit", os.close)  # a call that says no
    monkeypatch.setattr(syscalls, "exit_thread", os.close)
    thread = child.spawn_thread()
    with pytest.raises(OSError, match=r"Bad file descriptor: 'subthread 1: close\(9999\)'"):
        (thread.exit_group if everyone else thread.exit)(9999)
