"""setns(2) with a pidfd moves a process into the namespaces of another."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers import features, features_namespaces, filesystem, namespaces
from helpers.descriptor import Descriptor
from helpers.gating import needs
from helpers.namespaces import Kind
from helpers.process import ThreadGroup
from helpers.uapi import CloneFlag, PidfdFlag

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


@needs(features_namespaces.KIND[namespaces.PID], features.UNPRIVILEGED_PID_NAMESPACE)
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


@needs(features.USER_NAMESPACE)
@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(CloneFlag.NEWNS, id="mnt"),
        pytest.param(
            CloneFlag.NEWNS | CloneFlag.NEWUTS,
            id="mnt and uts",
            marks=needs(features_namespaces.KIND[namespaces.UTS]),
        ),
    ],
)
def test_mounts_are_seen_from_the_root_that_is_entered(
    spawn: Callable[..., ThreadGroup], tmp_path: Path, flags: CloneFlag
) -> None:
    """Root and working directory become the root of the mount namespace of the process.

    From setns(2) and commit_nsset() in kernel/nsproxy.c. Beyond the C suite.
    """
    (tmp_path / "over" / "inside").mkdir(parents=True)
    (place := tmp_path / "place").mkdir()
    family = spawn(CloneFlag.NEWUSER | CloneFlag.NEWNS, "family")
    mover, target = family.leader.fork(role="mover"), family.leader.fork(flags, role="target")
    target.leader.call(filesystem.cover, f"{place}", f"{tmp_path / 'over'}")
    mover.leader.call(os.chdir, f"{place}")
    assert mover.leader.call(os.listdir, f"{place}") == []
    mover.leader.call(namespaces.enter, target.pidfd(), flags)
    seen = mover.leader.call(os.listdir, f"{place}")
    assert (mover.leader.call(os.getcwd), seen) == ("/", ["inside"])


@needs(features.PIDFD_THREAD, features_namespaces.KIND[namespaces.UTS], features.USER_NAMESPACE)
def test_thread_pidfd_leads_to_the_namespace_of_that_thread(
    spawn: Callable[..., ThreadGroup],
) -> None:
    """A thread may be in another namespace than its leader; each pidfd leads to its own task's.

    Beyond the C suite.
    """
    child = spawn(CloneFlag.NEWUSER | CloneFlag.NEWUTS)
    mover, thread = child.leader.fork(role="mover"), child.spawn_thread()
    thread.call(namespaces.unshare, CloneFlag.NEWUTS)
    found = []
    for pidfd in (thread.pidfd(PidfdFlag.THREAD), child.pidfd()):
        mover.leader.call(namespaces.enter, pidfd, CloneFlag.NEWUTS)
        found.append(namespaces.of(mover.pid)["uts"])
    assert found == [namespaces.of(child.pid, tid)["uts"] for tid in (thread.tid, child.pid)]
    assert found[0] != found[1]


@needs(features.USER_NAMESPACE)
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
