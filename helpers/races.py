"""Races as tests have them: play a scene before observers, and judge what they saw.

A property that a test asserts must hold in every interleaving. It is a rule, a function of one
story: it says what is wrong, or None. The test says nothing about how often anything is seen.
"""

from __future__ import annotations

import os

from helpers import journal, process, race_driver
from helpers.deadline import Deadline
from helpers.race_driver import MakeObserver, Report, Rule, Seen
from helpers.scenes import Scene
from helpers.uapi import CloneFlag

DEFAULT_SECONDS = 0.1
_SHOWN = 12

_seconds = DEFAULT_SECONDS
_seed: int | None = None


def set_dose(seconds: float, seed: int | None) -> None:
    """Let races last for so long, and jitter by `seed` instead of another one each time."""
    global _seconds, _seed
    _seconds, _seed = seconds, seed


def seconds() -> float:
    """How long a race lasts."""
    return _seconds


class Race:
    """A race that is over."""

    def __init__(self, report: Report) -> None:
        """Keep what came of it."""
        self.report = report

    def assert_each(self, rule: Rule) -> None:
        """Fail if any story breaks `rule`, with the first that did."""
        __tracebackhide__ = True
        found = [
            (name, seen, wrong)
            for name, all_seen in self.report.seen.items()
            for seen in all_seen
            if (wrong := rule(seen.story)) is not None
        ]
        if not found:
            return
        times = sum(seen.times for _, seen, _ in found)
        name, first, wrong = min(found, key=lambda entry: entry[1].first)
        raise AssertionError(
            f"{wrong}: {times} times in {self.report.rounds} rounds\n"
            f"first in round {first.first}, by {name}: {_told(first)}\n"
            + "".join(f"the first {key}: {text}\n" for key, text in self.report.examples.items())
            + f"repeat with --race-seed={self.report.seed}"
        )

    def assert_noted(self, outcome: object) -> None:
        """Fail unless the scene noted `outcome` in each round, and nothing else."""
        __tracebackhide__ = True
        due, noted, rounds = repr(outcome), self.report.noted, self.report.rounds
        if set(noted) == {due} and noted[due][0] == rounds:
            return
        found = [
            f"{what} {times} times, first in round {first}"
            for what, (times, first) in noted.items()
        ]
        raise AssertionError(
            f"{due} was due in each of {rounds} rounds, and there was "
            f"{', '.join(found) or 'nothing'}\nrepeat with --race-seed={self.report.seed}"
        )

    def __str__(self) -> str:
        report = self.report
        figures = (
            f"{report.rounds} rounds in {report.seconds:.2f} s, {self.rate:.0f} a second",
            f"{report.attempts} attempts",
            f"CPUs {', '.join(map(str, report.cpus))}",
            f"--race-seed={report.seed}",
        )
        lines = ["; ".join(figures)]
        for name, all_seen in report.seen.items():
            width = max((len(str(seen.times)) for seen in all_seen), default=0)
            lines += [
                f"  {seen.times:{width}} x {name}: {_told(seen)}" for seen in all_seen[:_SHOWN]
            ]
            if len(all_seen) > _SHOWN:
                lines.append(f"  and {len(all_seen) - _SHOWN} other stories")
        lines += [f"  {times} x driver: {what}" for what, (times, _) in report.noted.items()]
        lines += [f"  the first {key}: {text}" for key, text in report.examples.items()]
        return "\n".join(lines)

    @property
    def rate(self) -> float:
        """Rounds a second."""
        return self.report.rounds / self.report.seconds


def _told(seen: Seen) -> str:
    return " > ".join(map(repr, seen.story))


def play(
    scene: Scene,
    *observers: MakeObserver,
    flags: CloneFlag = CloneFlag.NONE,
    user: int | None = None,
) -> Race:
    """Play `scene` before `observers`, for as long as was asked for.

    The processes are in new namespaces by `flags`, and with `user` of that user.
    """
    group = process.spawn(flags, role="driver")
    seed = int.from_bytes(os.urandom(4), "little") if _seed is None else _seed
    wait = Deadline().length
    order = group.leader.begin(race_driver.run, scene, list(observers), _seconds, seed, wait, user)
    group.leader.channel.await_input(
        Deadline(_seconds + 2 * wait), f"the end of a race of {_seconds:g} s"
    )
    race = Race(order.result())
    journal.clear()  # the order and its answer tell the same, less readably
    journal.record(group, f"played {race.report.rounds} rounds")
    return race
