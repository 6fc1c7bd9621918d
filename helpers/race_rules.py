"""Rules that hold in every interleaving: each is given the story of one observer of one round.

It says what is wrong, None if nothing is. An observer looks before the cause, and again when it is
through: how a story ends is certain, and how it begins where the scene makes the task wait. A story
is cut where it comes back to its beginning, which no rule with an end of its own allows.
"""

from __future__ import annotations

from helpers.race_driver import Rule, Story
from helpers.race_namespaces import ENTERED, ITS_NAMESPACE
from helpers.race_observers import ITS_FILE, SENT, SLEPT_ON, THE_TASK, Hangup, Refusal, Told
from helpers.uapi import PollEvent

_REAPED = PollEvent.IN | PollEvent.HUP


def is_answered(story: Story) -> str | None:
    """No call fails."""
    refusals = [seen for seen in story if isinstance(seen, Refusal)]
    return f"a call failed with {refusals[0]!r}" if refusals else None


def tells_something(story: Story) -> str | None:
    """An answer has identity, or exit information, or both."""
    if any(isinstance(seen, Told) and not seen.identity and not seen.exit for seen in story):
        return "an answer has neither identity nor exit information"
    return None


def numbers_are_its_own(story: Story) -> str | None:
    """Identity is told whole, and is that of the task."""
    torn = [seen for seen in story if isinstance(seen, Told) and seen.wrong]
    return f"an answer is {torn[0]!r}" if torn else None


def goes_one_way(story: Story) -> str | None:
    """Identity that is gone does not come back; exit information comes, and stays the same."""
    answers = [seen for seen in story if isinstance(seen, Told)]
    for before, after in zip(answers, answers[1:]):
        if after.identity and not before.identity:
            return "identity came back"
        if before.exit is not None and after.exit != before.exit:
            return f"exit information went from {before.exit!r} to {after.exit!r}"
    last = story[-1]
    if not isinstance(last, Told) or last.identity or last.exit is None:
        return f"{last!r} was seen in the end, exit information alone was due"
    return None


def is_alive(story: Story) -> str | None:
    """A task that has not ended has no exit information."""
    ended = [seen for seen in story if isinstance(seen, Told) and seen.exit]
    return f"a living process is told to have ended: {ended[0]!r}" if ended else None


def events_stay(story: Story) -> str | None:
    """An event that was told once is told again by every later poll; in the end there are both."""
    events = [seen for seen in story if isinstance(seen, PollEvent)]
    for before, after in zip(events, events[1:]):
        if before & ~after:
            return f"{before & ~after!r} went away"
    if story[-1] != _REAPED:
        return f"{story[-1]!r} was seen in the end, {_REAPED!r} was due"
    return None


def is_silent(story: Story) -> str | None:
    """Nothing is told at all."""
    told = [seen for seen in story if seen != PollEvent.NONE]
    return f"a poll told {told[0]!r}" if told else None


def hangup_has_exit_information(story: Story) -> str | None:
    """Behind HUP, which comes in the end, there is exit information, and nothing else."""
    for seen in story:
        if isinstance(seen, Hangup) and not (isinstance(seen.then, Told) and seen.then.exit):
            return f"{seen!r}"
    if not isinstance(story[-1], Hangup):
        return f"{story[-1]!r} was seen in the end, {PollEvent.HUP!r} was due"
    return None


def gives_its_file_or(errors: tuple[int, ...]) -> Rule:
    """A copy is of the right file; there are no other refusals than `errors`, and they stay."""
    return _in_order(((ITS_FILE,), errors))


def opens_it_or(errors: tuple[int, ...], *then: object) -> Rule:
    """The task is opened, then refused with one of `errors`, then only `then` can be seen."""
    return _in_order(((THE_TASK,), errors, then))


def is_sent_or(errors: tuple[int, ...]) -> Rule:
    """A signal is sent, then refused with one of `errors`."""
    return _in_order(((SENT,), errors))


def is_its_namespace_or(errors: tuple[int, ...]) -> Rule:
    """A namespace is the task's own, then refused with one of `errors`."""
    return _in_order(((ITS_NAMESPACE,), errors))


def enters_both_or(errors: tuple[int, ...]) -> Rule:
    """Both namespaces are entered, then none, with one of `errors`."""
    return _in_order(((ENTERED,), errors))


def is_refused_in_the_end(seen: object, error: int) -> Rule:
    """What is `seen` while it is allowed is refused with `error` from then on, and at the end."""
    return _in_order(((seen,), (error,)))


def lives_while_copied(error: int) -> Rule:
    """Whoever has a copy sees the child alive; then there is nothing left to copy."""
    return _in_order(((PollEvent.NONE,), (error,)))


def _in_order(stages: tuple[tuple[object, ...], ...]) -> Rule:
    """What is seen is of these stages, from the first to the last, and none of them comes back.

    Bare numbers are errnos; a stage without entries is none.
    """
    named = [
        tuple(Refusal(entry) if type(entry) is int else entry for entry in entries)
        for entries in stages
        if entries
    ]
    rank = {entry: number for number, entries in enumerate(named) for entry in entries}

    def rule(story: Story) -> str | None:
        reached = 0
        for seen in story:
            if seen not in rank:
                return f"{seen!r} was seen"
            if rank[seen] < reached:
                return f"{seen!r} came back"
            reached = rank[seen]
        for seen, when, due in (
            (story[0], "at first", named[0]),
            (story[-1], "in the end", named[-1]),
        ):
            if seen not in due:
                return f"{seen!r} was seen {when}, {' or '.join(map(repr, due))} was due"
        return None

    return rule


def is_woken(story: Story) -> str | None:
    """A sleeper wakes by the event, not by its own clock."""
    return f"a sleeper was not woken by {story[1]!r}" if SLEPT_ON in story else None
