"""What setns(2) refuses of pidfds, exact to the errno, and with nothing changed."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

from helpers import (
    features,
    features_namespaces,
    features_process,
    features_targets,
    namespaces,
    rights,
    targets,
)
from helpers.endings import LEADER_ENDS, end_leader
from helpers.expect import refused
from helpers.gating import needs
from helpers.process import ThreadGroup
from helpers.rights import Obstacle
from helpers.targets import NotAPidfd
from helpers.uapi import CloneFlag

pytestmark = needs(features_namespaces.SETNS)


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(CloneFlag.NONE, id="none"),
        pytest.param(CloneFlag.VM, id="no namespace"),
        pytest.param(CloneFlag.NEWNS | CloneFlag.VM, id="more than namespaces"),
        pytest.param(-1, id="all bits"),
    ],
)
def test_flags_must_be_namespaces(spawn: Callable[..., ThreadGroup], flags: CloneFlag) -> None:
    """With a pidfd at least one flag is due, and only those of namespaces: EINVAL.

    Port of current_nsset.invalid_flags (pidfd_setns_test.c).
    """
    target, mover = spawn(role="target"), spawn(role="mover")
    before = namespaces.of(mover.pid)
    with refused(errno.EINVAL):
        mover.leader.call(namespaces.enter, target.pidfd(), flags)
    assert namespaces.of(mover.pid) == before


@pytest.mark.parametrize("end", LEADER_ENDS)
@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(CloneFlag.NEWNS, id="mnt"),
        pytest.param(
            CloneFlag.NEWUSER | CloneFlag.NEWNET,
            id="user and net",
            marks=needs(features.USER_NAMESPACE),
        ),
    ],
)
def test_ended_process_has_nothing_to_enter(
    spawn: Callable[..., ThreadGroup], flags: CloneFlag, end: str
) -> None:
    """Of a leader that has exited no namespace can be entered, though its subthreads may live.

    Port of current_nsset.pidfd_exited_child (pidfd_setns_test.c); whether the child had unshared
    anything is not looked at there, and the reaped one is beyond it.
    """
    target = spawn(flags & CloneFlag.NEWUSER, "target")
    pidfd, mover = target.pidfd(), spawn(role="mover")
    before = namespaces.of(mover.pid)
    end_leader(target, end)
    with refused(errno.ESRCH):
        mover.leader.call(namespaces.enter, pidfd, flags)
    assert namespaces.of(mover.pid) == before


@needs(features_process.USER_CHANGE, features_namespaces.KIND[namespaces.UTS])
def test_zombie_is_no_less_guarded() -> None:
    """Who may not look into a process is not told that it has ended: EPERM.

    Beyond the C suite.
    """
    caller, target, pidfd = rights.scene(Obstacle.OTHER_USER)
    target.leader.exit_group()
    with refused(errno.EPERM):
        caller.leader.call(namespaces.enter, pidfd, CloneFlag.NEWUTS)


@pytest.mark.parametrize("attempt", range(3))
@needs(features.USER_NAMESPACE, features_namespaces.KIND[namespaces.UTS])
def test_process_that_is_killed_meanwhile_is_entered_or_not_found(
    spawn: Callable[..., ThreadGroup], attempt: int
) -> None:
    """As long as its namespaces can be entered they are; from its end on the answer is ESRCH.

    Port of simple_pidfd_setns (namespaces/regression_pidfd_setns_test.c), which takes any answer;
    its bug, 1c465d0518dc ("ns: handle setns(pidfd, ...) cleanly"), is a warning in the kernel log.
    """
    family = spawn(CloneFlag.NEWUSER, f"mover {attempt}")
    target = family.leader.fork(CloneFlag.NEWUTS | CloneFlag.NEWIPC, role="target")
    pidfd, both = target.pidfd(), CloneFlag.NEWUTS | CloneFlag.NEWIPC
    theirs = namespaces.of(target.pid)
    family.leader.call(namespaces.enter, pidfd, both)
    order = family.leader.begin(namespaces.enter_until_refused, pidfd, both)
    target.kill()
    assert order.result() == "ESRCH"
    found = namespaces.of(family.pid)
    assert (found["uts"], found["ipc"]) == (theirs["uts"], theirs["ipc"])


@pytest.mark.parametrize(
    "kind", features_targets.kinds(without=(NotAPidfd.NAMESPACE, *targets.ONLY_PATHS))
)
@pytest.mark.parametrize("flags", [CloneFlag.NONE, CloneFlag.NEWNS], ids=str)
def test_other_descriptor_leads_nowhere(
    child: ThreadGroup, kind: NotAPidfd, flags: CloneFlag
) -> None:
    """A descriptor neither of a process nor of a namespace gives EINVAL, whatever the flags.

    Port of setns_einval (pidfd_setns_test.c), whose flags are wrong for a pidfd as well.
    """
    with refused(errno.EINVAL):
        child.leader.call(namespaces.enter, targets.make(kind), flags)


@pytest.mark.parametrize("kind", sorted(targets.ONLY_PATHS, key=str), ids=str)
def test_descriptor_opened_with_o_path_is_not_open_enough(
    child: ThreadGroup, kind: NotAPidfd
) -> None:
    """A descriptor that is only a path gives EBADF.

    Beyond the C suite.
    """
    with refused(errno.EBADF):
        child.leader.call(namespaces.enter, targets.make(kind), CloneFlag.NEWNS)


@needs(features.USER_NAMESPACE, features_namespaces.KIND[namespaces.UTS])
def test_process_that_may_not_be_looked_into_cannot_be_followed(
    spawn: Callable[..., ThreadGroup],
) -> None:
    """The right to enter does not do: who may not read the process by ptrace gets EPERM.

    Beyond the C suite.
    """
    family = spawn(CloneFlag.NEWUSER, "mover")
    target = family.leader.fork(CloneFlag.NEWUTS, role="target")
    target.leader.call(rights.set_dumpable, 0)
    with refused(errno.EPERM):
        family.leader.call(namespaces.enter, target.pidfd(), CloneFlag.NEWUTS)
    target.leader.call(rights.set_dumpable, 1)
    family.leader.call(namespaces.enter, target.pidfd(), CloneFlag.NEWUTS)


@needs(features.USER_NAMESPACE)
@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(CloneFlag.NEWNS, id="mnt"),
        pytest.param(
            CloneFlag.NEWNS | CloneFlag.NEWUTS,
            id="mnt and uts",
            marks=needs(
                features_namespaces.SHARER_REFUSED,
                features_namespaces.KIND[namespaces.UTS],
            ),
        ),
    ],
)
def test_sharer_of_a_root_directory_cannot_change_mounts(
    spawn: Callable[..., ThreadGroup], flags: CloneFlag
) -> None:
    """Who shares root and working directory with another (CLONE_FS) gets EINVAL, until he unshares.

    With a second kind beside it the check saw a copy that nobody shares, until "mount: refuse
    setns() with a shared fs_struct again", v7.3.4 and v6.12.117. Beyond the C suite.
    """
    family = spawn(CloneFlag.NEWUSER | CloneFlag.NEWNS, "family")
    sharer = family.leader.fork(CloneFlag.FS, role="sharer")
    target = family.leader.fork(flags, role="target")
    before = namespaces.of(sharer.pid)
    with refused(errno.EINVAL):
        sharer.leader.call(namespaces.enter, target.pidfd(), flags)
    assert namespaces.of(sharer.pid) == before
    sharer.leader.call(namespaces.unshare, CloneFlag.FS)
    sharer.leader.call(namespaces.enter, target.pidfd(), flags)


@needs(features.UNPRIVILEGED_PID_NAMESPACE, features_namespaces.KIND[namespaces.UTS])
def test_namespaces_are_entered_all_or_none(spawn: Callable[..., ThreadGroup]) -> None:
    """Where one of several cannot be entered the caller stays in all that he was in.

    No way leads up from a pid namespace: EINVAL, as pid_namespaces(7) has it. Beyond the C suite.
    """
    family = spawn(CloneFlag.NEWUSER | CloneFlag.NEWPID, "family")
    above = family.leader.fork(CloneFlag.NEWUTS, role="above")
    mover = family.leader.fork(CloneFlag.NEWPID, role="mover")
    before = namespaces.of(mover.pid)
    with refused(errno.EINVAL):
        mover.leader.call(namespaces.enter, above.pidfd(), CloneFlag.NEWUTS | CloneFlag.NEWPID)
    assert namespaces.of(mover.pid) == before
    mover.leader.call(namespaces.enter, above.pidfd(), CloneFlag.NEWUTS)
    assert namespaces.of(mover.pid)["uts"] == namespaces.of(above.pid)["uts"]
