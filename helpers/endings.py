"""Processes that have ended, and what must be told of their end."""

from __future__ import annotations

from typing import NamedTuple

from helpers.info import Outcome
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup


class Ended(NamedTuple):
    """A zombie, a pidfd of it from before its end, and what ``waitid`` must say of that."""

    group: ThreadGroup
    pidfd: Pidfd
    outcome: Outcome

    def reap(self) -> Ended:
        """Reap it as its parent."""
        __tracebackhide__ = True
        said = self.group.reap()
        assert said == self.outcome, f"waitid says {said}, {self.outcome} was due"
        return self


LEADER_ENDS = ["leader alone", "zombie", "reaped"]


def end_leader(group: ThreadGroup, how: str) -> None:
    """Let the leader exit before a subthread that lives on, or with its group; or be reaped."""
    assert how in LEADER_ENDS, f"{how!r} is none of {LEADER_ENDS}"
    if how == "leader alone":
        group.spawn_thread()
        group.leader.exit()
        return
    group.leader.exit_group()
    if how == "reaped":
        group.reap()
