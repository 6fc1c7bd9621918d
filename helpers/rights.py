"""Processes that may not look into others: one scene for each thing that can stand in the way."""

from __future__ import annotations

import errno
import os
from enum import Enum
from typing import NamedTuple

from helpers import agent, process, syscalls
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.syscalls_access import drop_capabilities
from helpers.uapi import PR_SET_DUMPABLE, PR_SET_PTRACER, PR_SET_PTRACER_ANY, CloneFlag
from helpers.uapi_rights import CAP_SYS_NICE, CAP_SYS_PTRACE

OTHER_USER = 65534
THIRD_USER = 1
EVERY_CAPABILITY = (1 << 64) - 1
SYS_NICE = 1 << CAP_SYS_NICE
SYS_PTRACE = 1 << CAP_SYS_PTRACE


class Obstacle(Enum):
    """Why ``ptrace_may_access`` of kernel/ptrace.c says no."""

    NOT_DUMPABLE = "not dumpable"
    OTHER_USER = "of another user"
    MORE_CAPABLE = "of more capabilities"


class Scene(NamedTuple):
    """A process that asks, and one that it asks about."""

    caller: ThreadGroup
    target: ThreadGroup
    pidfd: Pidfd


def set_dumpable(value: int) -> None:
    """``prctl(PR_SET_DUMPABLE)`` for the calling process."""
    syscalls.prctl(PR_SET_DUMPABLE, value)


def admit_siblings() -> None:
    """Let others than ancestors look into the calling process, where Yama restricts it to those.

    That is kernel.yama.ptrace_scope=1. It outlasts an exec, and gives nobody a right by itself.
    """
    try:
        syscalls.prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY)
    except OSError as error:
        if error.errno != errno.EINVAL:  # there is no Yama
            raise


def _be_ready_to_fail() -> None:
    """Import what tells a failure, ahead: the files may be out of the other user's reach."""
    import traceback  # noqa: F401


def become(uid: int) -> None:
    """Take `uid` as every user and group id of the calling process, which ends its capabilities."""
    _be_ready_to_fail()
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    agent.die_with_parent()  # a change of ids has undone that


def equals() -> Scene:
    """A process without capabilities and its child, which has the same ids: nothing in the way."""
    caller = process.spawn(role="caller")
    caller.leader.call(drop_capabilities, EVERY_CAPABILITY)
    target = caller.leader.fork(role="target")
    return Scene(caller, target, target.pidfd())


def scene(obstacle: Obstacle) -> Scene:
    """A caller that this obstacle, and nothing else, keeps from its target."""
    if obstacle is Obstacle.NOT_DUMPABLE:
        made = equals()
        made.target.leader.call(set_dumpable, 0)
        return made
    if obstacle is Obstacle.MORE_CAPABLE:
        family = process.spawn(CloneFlag.NEWUSER, role="target")
        caller = family.leader.fork(role="caller")
        caller.leader.call(drop_capabilities, EVERY_CAPABILITY)
        return Scene(caller, family, family.pidfd())
    target, caller = process.spawn(role="target"), process.spawn(role="caller")
    caller.leader.call(become, OTHER_USER)
    return Scene(caller, target, target.pidfd())


class Share(Enum):
    """Which user ids a caller has in common with its target."""

    BOTH = "real and effective"
    REAL = "the real one"
    EFFECTIVE = "the effective one, which is that for files too"
    NEITHER = "neither"


def take_share(share: Share) -> None:
    """Take the target's group ids and its `share` of the user ids, without capabilities."""
    _be_ready_to_fail()
    real = OTHER_USER if share in (Share.BOTH, Share.REAL) else THIRD_USER
    effective = OTHER_USER if share in (Share.BOTH, Share.EFFECTIVE) else THIRD_USER
    os.setresgid(OTHER_USER, OTHER_USER, OTHER_USER)
    os.setresuid(real, effective, effective)
    agent.die_with_parent()  # a change of ids has undone that


def sharer(share: Share) -> Scene:
    """A caller of whom nothing but the user ids decides whether it reaches its child."""
    caller = process.spawn(role="caller")
    target = caller.leader.fork(role="target")
    target.leader.call(become, OTHER_USER)
    target.leader.call(set_dumpable, 1)  # which the change of ids had taken away
    caller.leader.call(take_share, share)
    return Scene(caller, target, target.pidfd())


def foreign() -> Scene:
    """A caller with every right, and a process of another user, with a UTS namespace of its own."""
    caller, target = process.spawn(role="caller"), process.spawn(CloneFlag.NEWUTS, "target")
    target.leader.call(become, OTHER_USER)
    return Scene(caller, target, target.pidfd())
