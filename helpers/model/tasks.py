"""The words of the specification: namespaces, pids, tasks, groups and pidfds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from helpers.info import Ids, Outcome


class State(Enum):
    """What a task is to those who look from outside."""

    RUNNING = "running"
    STOPPED = "stopped"
    ZOMBIE = "a zombie"
    GONE = "gone"


class Sigchld(Enum):
    """What a group does about the signal that tells of its children's ends."""

    DEFAULT = "SIG_DFL"
    IGNORED = "SIG_IGN"
    NO_ZOMBIES = "SA_NOCLDWAIT"

    def __repr__(self) -> str:
        return str(self)


class Report(Enum):
    """News of a group that its parent has not yet taken by ``waitid``."""

    STOPPED = "stopped by SIGSTOP"
    CONTINUED = "continued"


class Told(NamedTuple):
    """What ``waitid`` says: of which child, by its number for the caller, and what."""

    pid: int
    news: Outcome | Report


@dataclass(eq=False)
class Namespace:
    """A pid namespace. It ends with its first process, and everything in it with it."""

    uids: Ids
    gids: Ids
    """What the ids of all tasks here are to those inside."""
    init: Group | None = None


@dataclass(eq=False)
class Pid:
    """What a pidfd refers to: an identity. Tasks bear it, one at a time, and it outlives them."""

    numbers: dict[Namespace, int]
    """Its number in every namespace that sees it, the outermost first."""
    task: Task | None = None
    exit: Outcome | None = None
    """Exit information: how the last task that bore it ended."""


@dataclass(eq=False)
class Task:
    """A thread; the leader of its group or a subthread."""

    name: str
    pid: Pid
    group: Group
    end: Outcome | None = None

    @property
    def state(self) -> State:
        """As /proc shows it."""
        if self.end is None:
            return State.STOPPED if self.group.stopped else State.RUNNING
        return State.ZOMBIE if self.pid.task is self else State.GONE

    def __repr__(self) -> str:
        if self.group.threads[0] is not self:
            return self.name
        return f"{self.group}.{'leader' if self.group.leader is self else 'threads[0]'}"


@dataclass(eq=False)
class Group:
    """A thread group: a process."""

    name: str
    namespace: Namespace
    parent: Task | None = None
    """The thread that made it, or who came in its place."""
    leader: Task = field(init=False)
    threads: list[Task] = field(default_factory=list)
    outcome: Outcome | None = None
    """What ended it, for the parent."""
    sigchld: Sigchld = Sigchld.DEFAULT
    stopped: bool = False
    terminating: bool = False
    """SIGTERM waits for SIGCONT."""
    report: Report | None = None
    executed: bool = False

    @property
    def living(self) -> list[Task]:
        """The threads that have not ended."""
        return [task for task in self.threads if task.end is None]

    @property
    def is_reaped(self) -> bool:
        """Whether nothing is left of it."""
        return self.leader.state is State.GONE

    def __repr__(self) -> str:
        return self.name


@dataclass(eq=False)
class Pidfd:
    """An open file: it refers to a pid, for ever, and with ``PIDFD_THREAD`` to that thread only."""

    name: str
    pid: Pid
    thread: bool

    def __repr__(self) -> str:
        return self.name
