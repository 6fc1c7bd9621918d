"""Races are played, told and judged as they should be."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from functools import partial

import pytest

from helpers import (
    features,
    process,
    race_driver,
    race_observers,
    race_rules,
    races,
    scenes,
    scenes_exec,
    syscalls,
)
from helpers.deadline import Deadline
from helpers.gating import needs
from helpers.info import Exited
from helpers.race_board import Board, Subject
from helpers.race_driver import Family, Report, Seen, Story
from helpers.race_namespaces import ENTERED, ITS_NAMESPACE
from helpers.race_observers import (
    ANOTHER_TASK,
    ITS_FILE,
    SENT,
    SLEPT_ON,
    THE_TASK,
    Hangup,
    Poll,
    Refusal,
    Sleeper,
    Told,
)
from helpers.races import Race
from helpers.scenes import Stage
from helpers.thread import ChildFailed
from helpers.uapi import PID_MAX_LIMIT, PollEvent
from selftests.runner import Project
from selftests.scenes import leave_a_child

NONE, IN, HUP = PollEvent.NONE, PollEvent.IN, PollEvent.HUP


def made(*seen: Seen) -> Race:
    """A race in which that was seen."""
    told = {"identity with another's pid": "pid 8 where 7 is due"}
    return Race(Report(90, 0.5, 400, 7, (0, 1), {"poll": list(seen)}, {"killed": (90, 1)}, told))


def test_a_finding_tells_the_story_how_often_and_how_to_repeat_it() -> None:
    """Of several the one that was seen first."""
    race = made(Seen((NONE, IN | HUP), 80, 1), Seen((IN, NONE), 7, 9), Seen((HUP, NONE), 3, 5))
    with pytest.raises(AssertionError) as found:
        race.assert_each(race_rules.events_stay)
    assert str(found.value).splitlines() == [
        "HUP went away: 10 times in 90 rounds",
        "first in round 5, by poll: HUP > NONE",
        "the first identity with another's pid: pid 8 where 7 is due",
        "repeat with --race-seed=7",
    ]


def test_a_race_tells_its_figures() -> None:
    """Rounds, rate, attempts, places, seed, and a histogram of the stories."""
    assert str(made(Seen((NONE, IN), 80, 1), Seen((IN,), 7, 9))).splitlines() == [
        "90 rounds in 0.50 s, 180 a second; 400 attempts; CPUs 0, 1; --race-seed=7",
        "  80 x poll: NONE > IN",
        "   7 x poll: IN",
        "  90 x driver: killed",
        "  the first identity with another's pid: pid 8 where 7 is due",
    ]


def test_what_a_scene_notes_is_judged() -> None:
    """The same is due in every round."""
    killed = type("", (), {"__repr__": lambda _: "killed"})()
    race = made()
    race.assert_noted(killed)
    with pytest.raises(AssertionError, match="of 90 rounds, and there was killed 90 times"):
        race.assert_noted("alive")
    for noted in ({}, {"killed": (89, 1)}, {"killed": (89, 1), "alive": (1, 7)}):
        with pytest.raises(AssertionError, match="killed was due in each of 90 rounds"):
            Race(race.report._replace(noted=noted)).assert_noted(killed)


@pytest.mark.parametrize(
    ("story", "pieces"),
    [
        ((NONE,), [(NONE,)]),
        ((NONE, IN), [(NONE, IN)]),
        ((NONE, IN, NONE), [(NONE, IN, NONE)]),
        ((NONE, IN, NONE, IN, NONE), [(NONE, IN, NONE)] * 2),
        ((NONE, IN, HUP, NONE, IN), [(NONE, IN, HUP, NONE), (NONE, IN)]),
    ],
)
def test_a_story_is_cut_where_it_comes_back_to_its_beginning(
    story: Story, pieces: list[Story]
) -> None:
    """A long round of many execs is told in short words, and nothing of it is lost."""
    tally = race_driver._Tally()
    tally.note(story, 1)
    assert sorted(tally.stories.elements()) == sorted(pieces)


ENDED = Told(exit=Exited(3))


@pytest.mark.parametrize(
    ("rule", "right", "wrong"),
    [
        (race_rules.is_answered, (Told(True),), (Told(True), Refusal(3))),
        (race_rules.tells_something, (Told(True),), (Told(),)),
        (race_rules.numbers_are_its_own, (Told(True),), (Told(True, None, ("pid",)),)),
        (race_rules.goes_one_way, (Told(True), ENDED), (Told(True), ENDED, Told(True))),
        (race_rules.events_stay, (NONE, IN, IN | HUP), (NONE, IN | HUP, IN)),
        (race_rules.hangup_has_exit_information, (NONE, Hangup(ENDED)), (NONE, Hangup(Told()))),
        (race_rules.is_silent, (NONE,), (NONE, IN)),
        (race_rules.opens_it_or((3,)), (THE_TASK, Refusal(3)), (Refusal(22),)),
        (race_rules.lives_while_copied(9), (NONE, Refusal(9)), (NONE, IN, Refusal(9))),
        (race_rules.is_sent_or((3,)), (SENT, Refusal(3)), (Refusal(3), SENT)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_rules_tell_right_from_wrong(rule: race_driver.Rule, right: Story, wrong: Story) -> None:
    """None where all is right, and words where it is not."""
    assert rule(right) is None
    assert rule(wrong)


@pytest.mark.parametrize(
    ("rule", "right"),
    [
        (race_rules.goes_one_way, (Told(True), Told(True, Exited(3)), ENDED)),
        (race_rules.events_stay, (NONE, IN, IN | HUP)),
        (race_rules.hangup_has_exit_information, (NONE, IN, Hangup(ENDED))),
        (race_rules.gives_its_file_or((3, 1)), (ITS_FILE, Refusal(1))),
        (race_rules.opens_it_or((3,)), (THE_TASK, Refusal(3))),
        (race_rules.opens_it_or((3,), ANOTHER_TASK), (THE_TASK, Refusal(3), ANOTHER_TASK)),
        (race_rules.is_sent_or((3,)), (SENT, Refusal(3))),
        (race_rules.is_its_namespace_or((3,)), (ITS_NAMESPACE, Refusal(3))),
        (race_rules.enters_both_or((3,)), (ENTERED, Refusal(3))),
        (race_rules.is_refused_in_the_end("seen", 13), ("seen", Refusal(13))),
        (race_rules.lives_while_copied(9), (NONE, Refusal(9))),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_story_without_its_end_is_wrong(rule: race_driver.Rule, right: Story) -> None:
    """A kernel for which nothing ever ends keeps no rule about ends."""
    assert rule(right) is None
    for length in range(1, len(right)):
        wrong = rule(right[:length])
        assert wrong
        assert wrong.startswith(f"{right[length - 1]!r} was seen in the end, ")


@pytest.mark.parametrize(
    ("rule", "right", "due"),
    [
        (race_rules.gives_its_file_or((3, 1)), (ITS_FILE, Refusal(1)), "its file"),
        (race_rules.opens_it_or((3,), ANOTHER_TASK), (THE_TASK, ANOTHER_TASK), "the task"),
        (race_rules.is_sent_or((3,)), (SENT, Refusal(3)), "sent"),
        (race_rules.lives_while_copied(9), (NONE, Refusal(9)), "NONE"),
    ],
)
def test_a_story_without_its_beginning_is_wrong(
    rule: race_driver.Rule, right: Story, due: str
) -> None:
    """Nor does one that refuses the living."""
    assert rule(right) is None
    assert rule(right[1:]) == f"{right[1]!r} was seen at first, {due} was due"


@pytest.mark.parametrize(("through", "due"), [(0, (IN,)), (1, (SLEPT_ON, NONE))])
def test_a_sleeper_is_judged_once_the_cause_is_through(
    through: int, due: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that is busy for longer than it may sleep has lost no wake-up."""
    read, write = os.pipe()
    poll = syscalls.poll

    def poll_late(fds: dict[int, int], timeout_ms: int) -> dict[int, int]:
        found = poll(fds, timeout_ms)
        os.write(write, b".")  # what the driver brings about at last
        return found

    monkeypatch.setattr(syscalls, "poll", poll_late)
    monkeypatch.setattr(race_observers, "Deadline", partial(Deadline, 0.02))
    caused = memoryview(bytearray(8)).cast("q")
    caused[0] = through
    try:
        sleeper = Sleeper(Family(1, 1, read))
        assert sleeper.watch(Subject(1, 1, read), bool, caused) == due
    finally:
        os.close(read)
        os.close(write)


@pytest.mark.parametrize(
    "subject",
    [Subject(1, 1, 3), Subject((1 << 29) - 1, PID_MAX_LIMIT - 1, 4095)],
    ids=["first", "last"],
)
def test_a_round_is_published_in_one_word(subject: Subject) -> None:
    """However long a race is, and however high a pid."""
    board = Board(1, 2)
    board.publish(subject)
    assert board.next(subject.round - 1) == subject
    board.end()
    assert board.next(subject.round) is None


def test_a_seed_repeats_the_jitter() -> None:
    """The same generator moves the cause by the same times."""
    draws = [[Stage(random.Random(5)).random.random() for _ in range(9)] for _ in range(2)]
    assert draws[0] == draws[1]


@needs(features.DELAYED_LEADER)
@pytest.mark.parametrize("leader_exits", [False, True])
def test_execs_are_played_where_no_image_executes_itself(leader_exits: bool) -> None:
    """As on machines whose code is not written."""
    race = races.play(partial(scenes_exec.execs_one_by_one, leader_exits=leader_exits), Poll)
    assert race.report.rounds >= 1
    assert all(set(seen.story) <= {NONE, IN} for seen in race.report.seen["poll"])


@needs(features.PIDFD_OPEN)
def test_a_race_needs_no_second_cpu() -> None:
    """It is slower there."""
    usable = sorted(os.sched_getaffinity(0))
    zygote = process.zygote()
    zygote.call(os.sched_setaffinity, 0, usable[:1])
    try:
        zygote.drop_ahead()
        report = races.play(scenes.end_and_reap, Poll, Poll).report
    finally:
        zygote.call(os.sched_setaffinity, 0, usable)
        zygote.drop_ahead()
    assert report.cpus == (usable[0],) * 3
    assert report.rounds >= 1


@needs(features.PIDFD_OPEN)
def test_the_end_of_an_observer_is_noticed() -> None:
    """The driver does not wait for it; what it said is told behind the test."""
    with pytest.raises(ChildFailed, match="an observer ended in the midst of a race"):
        races.play(scenes.end_and_reap, os.abort)  # type: ignore[arg-type]  # ends at once
    assert "abort() takes no arguments" in process.zygote().new_errors()


@needs(features.PIDFD_OPEN)
def test_scene_that_leaves_a_task_is_noticed() -> None:
    """It would run on a stack that is not mapped any more, or outlive the race."""
    with pytest.raises(ChildFailed, match="the scene has left a child"):
        races.play(leave_a_child, Poll)


HUNT = """
from helpers import races, scenes
from helpers.race_observers import Poll

def test_one(record_property):
    record_property("race", str(races.play(scenes.end_and_reap, Poll)))
"""


@needs(features.PIDFD_OPEN)
def test_figures_of_a_hunt_are_told_at_the_end(project: Callable[[str], Project]) -> None:
    """Where races are longer than usual; a plain run does not tell of them."""
    made = project(HUNT)
    assert "= races =" not in made.run().out
    out = made.run("--race-time=0.3", "--race-seed=5").out
    assert "= races =" in out
    assert "--race-seed=5" in out


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--race-time=0", "--race-time: '0' is not a number above 0"),
        ("--race-seed=x", "--race-seed: invalid int value: 'x'"),
    ],
)
def test_wrong_options_are_refused(
    option: str, told: str, project: Callable[[str], Project]
) -> None:
    """In one line."""
    run = project("def test_one(): pass").run(option)
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert told in run.out + run.err
