"""Waits until the tasks are in the states that the specification has them in.

By other means than those that are compared: signal 0, /proc and ``waitid(P_PID)``, no pidfd.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from helpers import procfs
from helpers.deadline import DeadlineExpired, wait_until
from helpers.model.tasks import Group, Namespace, State, Task
from helpers.uapi import P_PID, WALL


class Stuck(BaseException):
    """A task does not come to the state that is due.

    No ``Exception``, or Hypothesis would shrink a story that takes a deadline each time.
    """


class Settling:
    """Knows in which state every task was seen last, and looks again where it should differ."""

    def __init__(self, outside: Namespace) -> None:
        """Look from the pid namespace `outside`."""
        self._outside = outside
        self._seen: dict[Task, State] = {}

    def settle(self, groups: Iterable[Group]) -> None:
        """Return when every task is in its specified state; raises `Stuck`."""
        for group in groups:
            for task in group.threads:
                due = task.state
                if self._seen.get(task, State.RUNNING) is not due:
                    self._await(task, due)
                    self._seen[task] = due

    def _await(self, task: Task, due: State) -> None:
        pid = task.group.leader.pid.numbers[self._outside]
        tid = task.pid.numbers[self._outside]
        try:
            wait_until(
                lambda: _is(pid, tid, due),
                f"{task!r} (tid {tid}) to be {due.value}",
                state=lambda: f"state {procfs.task_state(pid, tid)}",
            )
        except DeadlineExpired as error:
            raise Stuck(str(error)) from error


def _is(pid: int, tid: int, due: State) -> bool:
    if due is State.GONE:  # on its way there it may be seen as a zombie, or as dead
        try:
            os.kill(tid, 0)
        except ProcessLookupError:
            return True
        return False
    letter = procfs.task_state(pid, tid)
    if due is State.RUNNING:
        return letter in ("R", "S", "D")
    return letter == {State.ZOMBIE: "Z", State.STOPPED: "T"}[due]


def reap(pid: int) -> None:
    """Wait for the end of a child and reap it; return at once if `pid` is no child of ours."""
    wait_until(lambda: _was_reaped(pid), f"the end of process {pid}")


def _was_reaped(pid: int) -> bool:
    try:
        return os.waitid(P_PID, pid, os.WEXITED | os.WNOHANG | WALL) is not None
    except ChildProcessError:
        return True
