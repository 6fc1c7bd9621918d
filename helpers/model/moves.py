"""Which steps may be taken now: for each step of `ThreadGroups` the arguments to choose from.

The simplest come first, since a search that shrinks prefers them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from helpers.model.steps import ThreadGroups
from helpers.model.tasks import Group, Sigchld, Task

Arguments = dict[str, Any]

MOST_GROUPS, MOST_THREADS, MOST_PIDFDS = 4, 4, 8  # alive; twice as many groups with zombies
STATUSES = (0, 3, 255)
SIGNALS = ("SIGKILL", "SIGTERM", "SIGSTOP", "SIGCONT")

MOVES: dict[str, Callable[[ThreadGroups], list[Arguments]]] = {}


def _move(candidates: Callable[[ThreadGroups], Iterator[Arguments]]) -> None:
    """Enter the step of this name, without the underscore."""
    MOVES[candidates.__name__[1:]] = lambda state: [*candidates(state)]


def groups(state: ThreadGroups) -> list[Group]:
    """Those of which something is left."""
    return [group for group in state.spec.groups if not group.is_reaped]


def actors(state: ThreadGroups) -> list[Task]:
    """Tasks that take orders."""
    return [
        task
        for group in groups(state)
        if not group.stopped and not group.executed
        for task in group.living
    ]


def _has_room(state: ThreadGroups) -> bool:
    found = groups(state)
    return len(found) < 2 * MOST_GROUPS and sum(bool(g.living) for g in found) < MOST_GROUPS


def _children(state: ThreadGroups, parents: Sequence[Task]) -> list[Group]:
    return [child for child in groups(state) if child.parent in parents and child.living]


def ends_in_order(state: ThreadGroups, group: Group) -> bool:
    """Whether it is certain who hears of the ends of its descendants when `group` ends at once.

    A child that is killed by the end of one thread, while others still end, is told of to their
    group or to the reaper, whichever is first; and it matters where the group discards children.
    """
    children = _children(state, group.threads)
    if group.sigchld is not Sigchld.DEFAULT and len(group.living) > 1 and children:
        return False
    return all(ends_in_order(state, child) for child in children)


def _end_in_order(state: ThreadGroups, tasks: Sequence[Task]) -> bool:
    """The same for some threads of a group that goes on: their children are killed."""
    return all(ends_in_order(state, child) for child in _children(state, tasks))


def mortal(state: ThreadGroups) -> list[Group]:
    """Those that may be ended at once; of the zombies, to which nothing happens, the last."""
    found = groups(state)
    zombies = [group for group in found if not group.living]
    return [
        group
        for group in found
        if group in zombies[-1:] or (group.living and ends_in_order(state, group))
    ]


@_move
def _spawn(state: ThreadGroups) -> Iterator[Arguments]:
    if _has_room(state):
        yield {}


@_move
def _spawn_namespace(state: ThreadGroups) -> Iterator[Arguments]:
    if _has_room(state):
        yield {}


@_move
def _fork(state: ThreadGroups) -> Iterator[Arguments]:
    if _has_room(state):
        for task in actors(state):
            yield {"by": task}


@_move
def _make_thread(state: ThreadGroups) -> Iterator[Arguments]:
    for task in actors(state):
        if len(task.group.living) < MOST_THREADS:
            yield {"by": task}


@_move
def _exit(state: ThreadGroups) -> Iterator[Arguments]:
    for task in actors(state):
        if _end_in_order(state, [task]):
            for status in STATUSES:
                yield {"thread": task, "status": status}


@_move
def _exit_group(state: ThreadGroups) -> Iterator[Arguments]:
    for task in actors(state):
        if task.group in mortal(state):
            for status in STATUSES:
                yield {"by": task, "status": status}


@_move
def _execute(state: ThreadGroups) -> Iterator[Arguments]:
    for task in actors(state):
        others = [other for other in task.group.living if other is not task]
        # Whether children end before SA_NOCLDWAIT goes is not certain.
        flags_matter = task.group.sigchld is Sigchld.NO_ZOMBIES and _children(state, others)
        if not flags_matter and _end_in_order(state, others):
            yield {"by": task}


@_move
def _fail_to_execute(state: ThreadGroups) -> Iterator[Arguments]:
    for task in actors(state):
        yield {"by": task}


@_move
def _discard_children(state: ThreadGroups) -> Iterator[Arguments]:
    for task in actors(state):
        if task.group.sigchld is Sigchld.DEFAULT:
            yield {"by": task, "sigchld": Sigchld.NO_ZOMBIES}
            if task is task.group.threads[0]:  # Python sets handlers in its first thread only
                yield {"by": task, "sigchld": Sigchld.IGNORED}


@_move
def _kill(state: ThreadGroups) -> Iterator[Arguments]:
    for group in mortal(state):
        yield {"group": group}


@_move
def _terminate(state: ThreadGroups) -> Iterator[Arguments]:
    for group in mortal(state):
        yield {"group": group}


@_move
def _stop(state: ThreadGroups) -> Iterator[Arguments]:
    for group in groups(state):
        if group.living:
            yield {"group": group}


@_move
def _resume(state: ThreadGroups) -> Iterator[Arguments]:
    for group in groups(state):
        if group.living and (not group.terminating or group in mortal(state)):
            yield {"group": group}


@_move
def _signal_by(state: ThreadGroups) -> Iterator[Arguments]:
    for pidfd in state.pidfds:
        task = pidfd.pid.task
        if task is None or not task.group.living or task.group in mortal(state):
            for name in SIGNALS:
                yield {"pidfd": pidfd, "name": name}


def _waiters(state: ThreadGroups, child: Group) -> list[Task]:
    """The parent if it takes orders, and others, which are none of its parents."""
    waiters = [state.test.leader, *actors(state)]
    waiters.sort(key=lambda task: child.parent is None or task.group is not child.parent.group)
    return [task for task in waiters if task.group.namespace in child.leader.pid.numbers][:3]


@_move
def _reap(state: ThreadGroups) -> Iterator[Arguments]:
    for child in groups(state):
        for task in _waiters(state, child):
            yield {"child": child, "by": task}


@_move
def _take_news(state: ThreadGroups) -> Iterator[Arguments]:
    for child in groups(state):
        for task in _waiters(state, child):
            yield {"child": child, "by": task}


@_move
def _reap_by(state: ThreadGroups) -> Iterator[Arguments]:
    for pidfd in state.pidfds:
        yield {"pidfd": pidfd, "by": state.test.leader}
        task = pidfd.pid.task
        for waiter in actors(state):
            if task and task.group.parent and waiter.group is task.group.parent.group:
                yield {"pidfd": pidfd, "by": waiter}


@_move
def _open(state: ThreadGroups) -> Iterator[Arguments]:
    if len(state.pidfds) < MOST_PIDFDS:
        for group in state.spec.groups[: -2 * MOST_GROUPS : -1]:
            for task in group.threads:
                yield {"task": task, "thread": False}
                yield {"task": task, "thread": True}


@_move
def _duplicate(state: ThreadGroups) -> Iterator[Arguments]:
    if len(state.pidfds) < MOST_PIDFDS:
        for pidfd in state.pidfds:
            yield {"pidfd": pidfd}


@_move
def _send_and_return(state: ThreadGroups) -> Iterator[Arguments]:
    if len(state.pidfds) < MOST_PIDFDS:
        for pidfd in state.pidfds:
            for task in actors(state):
                yield {"pidfd": pidfd, "to": task}


@_move
def _ask_from(state: ThreadGroups) -> Iterator[Arguments]:
    for pidfd in state.pidfds:
        for task in actors(state):
            yield {"pidfd": pidfd, "by": task}


@_move
def _close(state: ThreadGroups) -> Iterator[Arguments]:
    for pidfd in state.pidfds if len(state.pidfds) > MOST_PIDFDS // 2 else ():
        yield {"pidfd": pidfd}


RULES: dict[str, tuple[str, ...]] = {
    "spawn": ("spawn",),
    "spawn_namespace": ("spawn_namespace",),
    "fork": ("fork",),
    "fork_again": ("fork",),
    "make_thread": ("make_thread",),
    "make_another_thread": ("make_thread",),
    "exit": ("exit",),
    "exit_group": ("exit_group",),
    "execute": ("execute", "fail_to_execute"),
    "discard_children": ("discard_children",),
    "signal": ("kill", "terminate", "stop", "resume"),
    "stop_or_terminate": ("stop", "terminate"),
    "resume": ("resume",),
    "signal_by": ("signal_by",),
    "wait": ("reap", "take_news"),
    "wait_by": ("reap_by",),
    "open": ("open",),
    "open_another": ("open",),
    "open_a_third": ("open",),
    "copy": ("duplicate", "send_and_return"),
    "ask_from": ("ask_from",),
    "close": ("close",),
}
"""What a search chooses from, all as likely: steps that are alike, and some more than once."""


def choices(state: ThreadGroups, rule: str) -> list[tuple[str, Arguments]]:
    """What may be done now by a rule of `RULES`."""
    return [(name, arguments) for name in RULES[rule] for arguments in MOVES[name](state)]
