"""The processes of a race: one that plays the scene, and observers with its descriptors.

All of them are pinned to CPUs, the observers to others than the driver where there are others.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pickle
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple, NoReturn, Optional

from helpers import agent, attempts, deadline, rights, syscalls_clone
from helpers.attempts import Attempts
from helpers.race_board import Board, Subject
from helpers.scenes import Rounds, Scene, Stage, Victim
from helpers.uapi import WALL, CloneFlag

Story = tuple[object, ...]
"""What one observer saw of one round, in order, each run of the same told once."""

Rule = Callable[[Story], Optional[str]]
"""What is wrong with a story, None if nothing is."""

_AT_ONCE = memoryview(bytearray(8)).cast("q")
_MOST_STORIES = 60
_LEAST_ROUNDS = 10  # however slow the machine is


class Family(NamedTuple):
    """What observers know: pids as they see them, and a file that every process has open."""

    driver: int
    parent: int
    file: int


class Observer:
    """Looks at the subject of a round by one call, and tells what it saw."""

    name = "observer"

    def __init__(self, family: Family) -> None:
        """Make the attempts ready; this runs in the observing process."""
        self.family = family
        self.attempts = self.prepare()
        self.made = 0
        self.examples: dict[str, str] = {}
        """Of what was seen, what the kernel said word by word, the first time."""

    def prepare(self) -> Attempts:
        """The attempts to be made in each round."""
        raise NotImplementedError

    def begin(self, subject: Subject) -> None:
        """Turn to the subject of a round."""
        self.attempts.turn_to(subject.fd)

    def decode(self, result: int, answer: bytes) -> object:
        """What one attempt means."""
        raise NotImplementedError

    def watch(self, subject: Subject, begun: Callable[[], object], caused: memoryview) -> Story:
        """The story of one round: `begun` tells of the first attempt, `caused` ends the last."""
        self.begin(subject)
        story: list[object] = []
        self._digest(attempts.repeat(self.attempts, _AT_ONCE, 0), story)
        begun()
        made = length = self.attempts.length
        while made == length:  # a shorter vector has ended with the cause
            results = attempts.repeat(self.attempts, caused, subject.round)
            made = len(results)
            self._digest(results, story)
        self.end()
        return tuple(story)

    def _digest(self, results: list[int], story: list[object]) -> None:
        self.made += len(results)
        for result, answer in self.attempts.read(results):
            meaning = self.decode(result, answer)
            if not story or story[-1] != meaning:
                story.append(meaning)

    def end(self) -> None:
        """The round is over; nothing of it may be left."""
        self.attempts.turn_away()


MakeObserver = Callable[[Family], Observer]


class Seen(NamedTuple):
    """A story that was seen, how often, and in which round first."""

    story: Story
    times: int
    first: int


class Report(NamedTuple):
    """What came of a race."""

    rounds: int
    seconds: float
    attempts: int
    seed: int
    cpus: tuple[int, ...]
    seen: dict[str, list[Seen]]
    """By observer, the most frequent first."""
    noted: dict[str, tuple[int, int]]
    """What the scene itself noted, how often, and in which round first."""
    examples: dict[str, str]


class _Told(NamedTuple):
    """What an observer brings home."""

    name: str
    attempts: int
    seen: list[Seen]
    examples: dict[str, str]


class _Tally:
    """What one observer counts."""

    def __init__(self) -> None:
        self.stories: Counter[Story] = Counter()
        self.first: dict[Story, int] = {}

    def note(self, story: Story, number: int) -> None:
        """Count the story of a round, cut where it comes back to its beginning."""
        start = 0
        for at in range(1, len(story)):
            if story[at] == story[0]:
                self._count(story[start : at + 1], number)
                start = at
        if start == 0 or start < len(story) - 1:
            self._count(story[start:], number)

    def _count(self, story: Story, number: int) -> None:
        self.stories[story] += 1
        self.first.setdefault(story, number)

    def seen(self) -> list[Seen]:
        return [
            Seen(story, times, self.first[story])
            for story, times in sorted(self.stories.items(), key=lambda item: -item[1])
        ][:_MOST_STORIES]


def run(
    scene: Scene,
    observers: list[MakeObserver],
    seconds: float,
    seed: int,
    longest_wait: float,
    user: int | None = None,
) -> Report:
    """Play `scene` for so many seconds; an order to a child, which must be of no further use.

    With `user` as that user, who may look into what is his own.
    """
    deadline.set_default(longest_wait)
    if user is not None:
        rights.become(user)
        rights.set_dumpable(1)
    usable = sorted(os.sched_getaffinity(0))
    others = usable[1:] or usable
    cpus = (usable[0], *(others[number % len(others)] for number in range(len(observers))))
    board = Board(len(observers), len(usable))
    os.sched_setaffinity(0, cpus[:1])
    file, _ = os.pipe2(os.O_CLOEXEC)
    # begin_new_exec() closes what is to be closed while others may still look into the process.
    os.set_inheritable(file, True)
    family = Family(os.getpid(), os.getppid(), file)
    crew = [
        _Worker(board, family, index, observer, cpu)
        for index, (observer, cpu) in enumerate(zip(observers, cpus[1:]))
    ]
    board.is_sound = lambda: _check(crew)
    start = time.monotonic()
    stage = Stage(random.Random(seed))
    rounds = _play(scene(stage), stage, board, start + seconds)
    took = time.monotonic() - start
    board.end()
    tallies = [worker.collect() for worker in crew]
    _check_alone()
    return Report(
        rounds,
        took,
        sum(told.attempts for told in tallies),
        seed,
        cpus,
        _merge(tallies),
        {repr(outcome): found for outcome, found in stage.outcomes.items()},
        {key: text for told in tallies for key, text in told.examples.items()},
    )


def _check_alone() -> None:
    """Raise if the scene has left a task behind."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT | WALL)
    except ChildProcessError:
        return
    raise RuntimeError("the scene has left a child")


def _check(crew: list[_Worker]) -> None:
    for worker in crew:
        worker.check()


def _merge(tallies: list[_Told]) -> dict[str, list[Seen]]:
    """Stories by observers, where several have the same name numbered."""
    seen: dict[str, list[Seen]] = {}
    for number, told in enumerate(tallies, 1):
        seen[f"{told.name} {number}" if told.name in seen else told.name] = told.seen
    return seen


def _play(rounds: Rounds, stage: Stage, board: Board, end: float) -> int:
    count = number = 0
    with contextlib.closing(rounds):
        while time.monotonic() < end or number < _LEAST_ROUNDS:
            victim = next(rounds)
            assert isinstance(victim, Victim)
            number += 1
            stage.round = number
            board.publish(Subject(number, victim.pid, victim.fd))
            board.await_started(number)
            played = next(rounds)
            assert isinstance(played, int)
            count += played
            board.finish(number)
    return count


class _Worker:
    """An observer's process, as the driver has it."""

    def __init__(
        self, board: Board, family: Family, index: int, observer: MakeObserver, cpu: int
    ) -> None:
        self._out, into = os.pipe2(os.O_CLOEXEC)
        self._pid = syscalls_clone.fork_with(CloneFlag.FILES, signal.SIGCHLD)
        if not self._pid:
            _work(board, family, index, observer, cpu, into)

    def check(self) -> None:
        """Raise if the process is gone."""
        try:
            options = os.WEXITED | os.WNOHANG | os.WNOWAIT
            ended = os.waitid(os.P_PID, self._pid, options) is not None
        except ChildProcessError:
            ended = True
        if ended:
            raise RuntimeError("an observer ended in the midst of a race")

    def collect(self) -> _Told:
        """What it has counted, when it has gone home."""
        with open(self._out, "rb") as file:
            try:
                told: _Told = pickle.load(file)
            except EOFError as error:
                raise RuntimeError("an observer ended before it had told what it saw") from error
        try:
            os.waitpid(self._pid, 0)
        except ChildProcessError:  # a scene in which the kernel reaps
            pass
        return told


def _work(
    board: Board, family: Family, index: int, observer: MakeObserver, cpu: int, into: int
) -> NoReturn:
    def life() -> NoReturn:
        os.sched_setaffinity(0, {cpu})
        watcher = observer(family)
        tally = _Tally()
        number = 0
        while (subject := board.next(number)) is not None:
            number = subject.round
            begun = functools.partial(board.started, index, number)
            story = watcher.watch(subject, begun, board.caused)
            tally.note(story, number)
            board.done(index, number)
        with open(into, "wb") as file:
            pickle.dump(_Told(watcher.name, watcher.made, tally.seen(), watcher.examples), file)
        os._exit(0)

    agent.be_child(life, family.driver)
