"""Processes in a Landlock domain, in which there is no way back: children only."""

from __future__ import annotations

from typing import NamedTuple

from helpers import process, syscalls, syscalls_access
from helpers.process import ThreadGroup
from helpers.thread import Thread
from helpers.uapi import PR_SET_NO_NEW_PRIVS
from helpers.uapi_rights import LANDLOCK_ACCESS_FS_MAKE_BLOCK, LandlockRuleset, Scope


def restrict(scope: Scope) -> None:
    """Enter a domain that keeps `scope` inside; without a scope, one that bars block devices."""
    files = 0 if scope else LANDLOCK_ACCESS_FS_MAKE_BLOCK
    syscalls.prctl(PR_SET_NO_NEW_PRIVS, 1)
    syscalls_access.landlock_restrict_self(LandlockRuleset(files, 0, scope))


class Scene(NamedTuple):
    """A process in a domain, its child from before, which is outside, and one from after."""

    confined: Thread
    outside: ThreadGroup
    inside: ThreadGroup


def scene(scope: Scope) -> Scene:
    """Nothing but the domain keeps the first from the others, of which it is the parent."""
    confined = process.spawn(role="confined").leader
    outside = confined.fork(role="outside")
    confined.call(restrict, scope)
    return Scene(confined, outside, confined.fork(role="inside"))
