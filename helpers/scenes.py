"""What happens in a race: scenes, each a generator that plays rounds for ever.

A scene yields the task of a round when observers may look, brings the cause about when it is
resumed, and yields again, how many rounds that was, when the cause is through. Then it clears up,
also where it is closed there: a task that it left would run on a stack that is not mapped any more.
`jitter` moves the cause against the observers. Scenes run in the driver, whose descriptors its
observers share.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Generator
from typing import NamedTuple

from helpers import agent, syscalls, syscalls_clone
from helpers.race_board import spin
from helpers.reaping import reap
from helpers.uapi import WALL, CloneFlag, PidfdFlag, PollEvent
from helpers.victims import Stack, await_zombie, choose_next_pid

_LONGEST_JITTER = 40_000  # nanoseconds


class Victim(NamedTuple):
    """The task of a round, and its pidfd in the descriptors that driver and observers share."""

    pid: int
    fd: int


class Stage:
    """What a scene is given, and where it notes what only it can see."""

    def __init__(self, generator: random.Random) -> None:
        """Take jitter from `generator`, whose seed repeats it."""
        self.random = generator
        self.round = 0
        self.outcomes: dict[object, tuple[int, int]] = {}
        """How often each outcome was noted, and in which round first."""

    def jitter(self) -> None:
        """Let up to some tens of microseconds pass, mostly few."""
        spin(int(self.random.random() ** 3 * _LONGEST_JITTER))

    def note(self, outcome: object) -> None:
        """Count an outcome of the current round."""
        times, first = self.outcomes.get(outcome, (0, self.round))
        self.outcomes[outcome] = times + 1, first


Rounds = Generator["Victim | int", None, None]
Scene = Callable[[Stage], Rounds]


def reap_by_parent(stage: Stage) -> Rounds:
    """A zombie is reaped by its parent."""
    stack = Stack()
    while True:
        pid = stack.exits()
        fd = syscalls.pidfd_open(pid)
        await_zombie(pid)
        yield Victim(pid, fd)
        stage.jitter()
        reap(pid)
        yield 1
        os.close(fd)


def end_and_reap(
    stage: Stage, flags: PidfdFlag = PidfdFlag.NONE, namespaces: CloneFlag = CloneFlag.NONE
) -> Rounds:
    """A process, in `namespaces` of its own, is killed, and reaped by its parent after a while."""
    stack = Stack()
    while True:
        pid = stack.sleeps(namespaces)
        fd = syscalls.pidfd_open(pid, flags)
        yield Victim(pid, fd)
        stage.jitter()
        os.kill(pid, signal.SIGKILL)
        await_zombie(pid)
        stage.jitter()
        reap(pid)
        yield 1
        os.close(fd)


def reap_by_kernel(stage: Stage, flags: PidfdFlag = PidfdFlag.NONE) -> Rounds:
    """A process is killed whose parent ignores SIGCHLD: the kernel reaps it at its end.

    A round ends by the hangup, so that a kernel from v6.9 on is needed.
    """
    stack = Stack()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        pid = stack.sleeps()
        fd = syscalls.pidfd_open(pid, flags)
        yield Victim(pid, fd)
        stage.jitter()
        syscalls.pidfd_send_signal(fd, signal.SIGKILL)
        await_reaped(fd)
        yield 1
        os.close(fd)


def thread_ends(stage: Stage) -> Rounds:
    """A subthread of the driver exits; nobody needs to reap it."""
    stack = Stack()
    while True:
        tid, fd = stack.thread(stage.random.randrange(1, 100))
        yield Victim(tid, fd)
        await_reaped(fd)
        yield 1
        os.close(fd)


def pid_is_reused(stage: Stage) -> Rounds:
    """A process is killed and reaped, and another one gets its pid; notes how that one ends.

    The driver must be alone in a pid namespace.
    """
    first, second = Stack(), Stack()
    while True:
        pid = first.sleeps()
        fd = syscalls.pidfd_open(pid)
        yield Victim(pid, fd)
        stage.jitter()
        os.kill(pid, signal.SIGKILL)
        reap(pid)
        stage.jitter()
        choose_next_pid(pid)
        again = second.sleeps()
        if again != pid:
            raise RuntimeError(f"pid {pid} was to be reused, the kernel gave {again}")
        try:
            yield 1
        finally:
            os.kill(again, signal.SIGKILL)
            stage.note(reap(again))
            os.close(fd)


def fork(live: Callable[[], object]) -> int:
    """A child of the driver that runs `live`, never to return, and dies with the driver."""
    maker = os.getpid()
    pid = syscalls_clone.fork_with(CloneFlag.NONE, signal.SIGCHLD)
    if not pid:
        agent.be_child(live, maker)
    return pid


def await_reaped(fd: int) -> None:
    """Sleep until the task of a pidfd, which the kernel reaps, is gone under all its numbers."""
    while not syscalls.poll({fd: 0}, -1)[fd] & PollEvent.HUP:
        pass
    # __unhash_process() tells it before a process has lost its number as a group, by which
    # pidfd_open(2) finds it before v6.16. It holds tasklist_lock, for which who looks for
    # children waits.
    os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT | WALL)
