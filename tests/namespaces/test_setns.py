"""setns(2) with a pidfd moves a process into the namespaces of another."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from helpers import features_namespaces, namespaces
from helpers.descriptor import Descriptor
from helpers.gating import needs
from helpers.namespaces import Kind
from helpers.process import ThreadGroup
from helpers.uapi import CloneFlag

pytestmark = needs(features_namespaces.SETNS, features_namespaces.ISOLATION)

Way = Callable[[ThreadGroup, Kind], Descriptor]

WAYS = pytest.mark.parametrize(
    "way",
    [
        pytest.param(lambda target, _: target.pidfd(), id="by pidfd"),
        pytest.param(
            lambda target, kind: namespaces.open_in_proc(target.pid, kind),
            id="by the file in /proc",
        ),
        pytest.param(
            lambda target, kind: namespaces.get(target.pidfd(), kind),
            id="by a descriptor from the pidfd",
            marks=needs(features_namespaces.IOCTLS),
        ),
    ],
)


@WAYS
def test_namespaces_are_entered_one_after_another(
    spawn: Callable[..., ThreadGroup], way: Way
) -> None:
    """Each call moves the caller into the one namespace asked for, and leaves all others.

    Port of current_nsset.pidfd_incremental_setns, nsfd_incremental_setns and
    pidfd_derived_nsfd_incremental_setns (pidfd_setns_test.c), which look at one kind at a time.
    """
    target, mover = namespaces.isolated(), spawn(role="mover")
    due, theirs = namespaces.of(mover.pid), namespaces.of(target.pid)
    for kind in namespaces.enterable():
        mover.leader.call(namespaces.enter, way(target, kind), kind.flag)
        due.update(namespaces.after_entering(kind, theirs))
        assert namespaces.of(mover.pid) == due, f"after entering the {kind} namespace"


def test_namespaces_are_entered_all_at_once(spawn: Callable[..., ThreadGroup]) -> None:
    """One call with every flag moves the caller into every namespace of the process.

    Port of current_nsset.pidfd_one_shot_setns (pidfd_setns_test.c).
    """
    target, mover = namespaces.isolated(), spawn(role="mover")
    due, theirs = namespaces.of(mover.pid), namespaces.of(target.pid)
    kinds = namespaces.enterable()
    for kind in kinds:
        due.update(namespaces.after_entering(kind, theirs))
    mover.leader.call(namespaces.enter, target.pidfd(), namespaces.flags_of(kinds))
    assert namespaces.of(mover.pid) == due


def test_children_are_born_where_the_pidfd_has_led_to(spawn: Callable[..., ThreadGroup]) -> None:
    """A child made after the call is in every namespace of the process, that of pids included.

    Beyond the C suite.
    """
    mover, target = spawn(role="mover"), namespaces.isolated()
    flags = namespaces.flags_of(namespaces.enterable())
    mover.leader.call(namespaces.enter, target.pidfd(), flags)
    born = mover.leader.fork()
    assert namespaces.of(born.pid) == namespaces.of(target.pid)
    # The first process of a pid namespace ends only after all others in it are reaped.
    born.kill()
    born.reap()


@needs(features_namespaces.KIND[namespaces.PID])
def test_pid_namespace_is_that_of_the_process_not_of_its_children(
    spawn: Callable[..., ThreadGroup],
) -> None:
    """Who follows a process whose children will be in another pid namespace stays where that is.

    Beyond the C suite.
    """
    family = spawn(CloneFlag.NEWUSER | CloneFlag.NEWPID, "family")
    target, mover = family.leader.fork(role="target"), family.leader.fork(role="mover")
    target.leader.call(namespaces.unshare, CloneFlag.NEWPID)
    born = target.leader.fork(role="first child elsewhere")
    assert namespaces.of(born.pid)["pid"] != namespaces.of(target.pid)["pid"]
    mover.leader.call(namespaces.enter, target.pidfd(), CloneFlag.NEWPID)
    follower = mover.leader.fork(role="follower")
    assert namespaces.of(follower.pid)["pid"] == namespaces.of(target.pid)["pid"]


@WAYS
def test_no_way_leads_out_of_a_user_namespace(spawn: Callable[..., ThreadGroup], way: Way) -> None:
    """From one user namespace there is no way into the namespaces of its sibling: EPERM.

    Port of current_nsset.no_foul_play (pidfd_setns_test.c), to which any errno is right.
    """
    first, second, mover = namespaces.isolated(), namespaces.isolated(), spawn(role="mover")
    flags = namespaces.flags_of(namespaces.enterable())
    mover.leader.call(namespaces.enter, first.pidfd(), flags)
    before = namespaces.of(mover.pid)
    found = {
        kind.name: mover.leader.call(namespaces.try_to_enter, way(second, kind), kind.flag)
        for kind in namespaces.enterable()
    }
    assert found == dict.fromkeys(found, "EPERM")
    assert namespaces.of(mover.pid) == before
