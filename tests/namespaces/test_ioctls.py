"""PIDFD_GET_*_NAMESPACE gives descriptors of the namespaces that a task is in."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest

from helpers import features, features_namespaces, namespaces, rights
from helpers.endings import LEADER_ENDS, end_leader
from helpers.expect import refused
from helpers.filesystem import identity
from helpers.gating import needs
from helpers.namespaces import Kind
from helpers.parameters import obstacles
from helpers.process import ThreadGroup
from helpers.rights import Obstacle
from helpers.uapi import CloneFlag, PidfdFlag

pytestmark = needs(features_namespaces.IOCTLS)


def _kinds(*chosen: Kind) -> pytest.MarkDecorator:
    params = [
        pytest.param(kind, id=kind.name, marks=needs(features_namespaces.KIND[kind]))
        for kind in chosen
    ]
    return pytest.mark.parametrize("kind", params)


ALL = _kinds(*namespaces.KINDS)
BY_CLONE = _kinds(*[kind for kind in namespaces.KINDS if kind.flag and kind != namespaces.TIME])


@needs(features.USER_NAMESPACE)
@BY_CLONE
def test_namespace_is_that_of_the_process(spawn: Callable[..., ThreadGroup], kind: Kind) -> None:
    """The descriptor is of the process's own namespace, which is not the caller's.

    Port of current_nsset.pidfd_derived_nsfd_incremental_setns (pidfd_setns_test.c), where
    EOPNOTSUPP is taken for an answer from every kernel.
    """
    child = spawn(CloneFlag.NEWUSER | kind.flag)
    found = identity(namespaces.get(child.pidfd(), kind))
    assert found == namespaces.of(child.pid)[kind.name]
    assert found != namespaces.of(os.getpid())[kind.name]


@needs(features.USER_NAMESPACE, features_namespaces.KIND[namespaces.TIME])
def test_time_namespace_of_the_children_differs_from_that_of_the_process(
    spawn: Callable[..., ThreadGroup],
) -> None:
    """A process that has unshared its time has two time namespaces, told by two requests.

    Beyond the C suite, in which both are the same.
    """
    child = spawn(CloneFlag.NEWUSER)
    child.leader.call(namespaces.change_time_for_children)
    theirs = namespaces.of(child.pid)
    for kind in (namespaces.TIME, namespaces.TIME_FOR_CHILDREN):
        found = identity(namespaces.get(child.pidfd(), kind))
        assert (kind.name, found) == (kind.name, theirs[kind.name])
    assert theirs["time"] != theirs["time_for_children"]


@needs(features.UNPRIVILEGED_PID_NAMESPACE, features_namespaces.KIND[namespaces.PID])
def test_pid_namespace_of_the_children_differs_from_that_of_the_process(
    spawn: Callable[..., ThreadGroup],
) -> None:
    """A process that has unshared its pids stays where it is; its children are elsewhere.

    Beyond the C suite, in which both are the same.
    """
    child = spawn(CloneFlag.NEWUSER)
    child.leader.call(namespaces.unshare, CloneFlag.NEWPID)
    first = child.leader.fork()
    requests = (namespaces.PID, namespaces.PID_FOR_CHILDREN)
    own, childrens = (identity(namespaces.get(child.pidfd(), kind)) for kind in requests)
    assert own == namespaces.of(os.getpid())["pid"]
    assert childrens == namespaces.of(first.pid)["pid"]
    assert own != childrens


@needs(features.USER_NAMESPACE, features.PIDFD_THREAD, features_namespaces.KIND[namespaces.UTS])
def test_thread_pidfd_gives_the_namespace_of_that_thread(
    spawn: Callable[..., ThreadGroup],
) -> None:
    """A thread may be in another namespace than its leader, and its own pidfd tells.

    Beyond the C suite.
    """
    child = spawn(CloneFlag.NEWUSER)
    thread = child.spawn_thread()
    thread.call(namespaces.unshare, CloneFlag.NEWUTS)
    found = [
        identity(namespaces.get(task.pidfd(PidfdFlag.THREAD), namespaces.UTS))
        for task in (child.leader, thread)
    ]
    assert found == [namespaces.of(child.pid, tid)["uts"] for tid in (child.pid, thread.tid)]
    assert found[0] != found[1]


def test_kinds_that_the_kernel_is_built_without_are_not_supported(child: ThreadGroup) -> None:
    """A kind of which /proc has no file gives EOPNOTSUPP, every other one its namespace.

    9b3e15046437 ("pidfs: handle kernels without namespaces cleanly") and f60d38cb02d0 ("pidfs:
    when time ns disabled add check for ioctl"), v6.11. Port of the fixture current_nsset
    (pidfd_setns_test.c), which takes EOPNOTSUPP of any kind.
    """
    pidfd, theirs = child.pidfd(), namespaces.of(child.pid)
    found = {kind.name: namespaces.answer(pidfd, kind) for kind in namespaces.KINDS}
    assert found == {kind.name: theirs.get(kind.name, "EOPNOTSUPP") for kind in namespaces.KINDS}


@ALL
def test_descriptor_closes_on_exec(child: ThreadGroup, kind: Kind) -> None:
    """The new descriptor is closed on exec.

    Beyond the C suite.
    """
    assert namespaces.get(child.pidfd(), kind).closes_on_exec


@needs(features.UNPRIVILEGED_PID_NAMESPACE, features_namespaces.KIND[namespaces.PID])
def test_pid_namespace_of_the_children_is_told_before_the_first_of_them(
    spawn: Callable[..., ThreadGroup],
) -> None:
    """The namespace is there for who asks by pidfd; older kernels have nothing of it in /proc yet.

    Beyond the C suite.
    """
    child, kind = spawn(CloneFlag.NEWUSER), namespaces.PID_FOR_CHILDREN
    child.leader.call(namespaces.unshare, CloneFlag.NEWPID)
    early = identity(namespaces.get(child.pidfd(), kind))
    assert early == namespaces.of(child.leader.fork().pid)["pid"]


@pytest.mark.parametrize("argument", [1, -1], ids=["1", "all bits"])
@ALL
def test_argument_must_be_zero(child: ThreadGroup, kind: Kind, argument: int) -> None:
    """The argument, which means nothing so far, must be 0: EINVAL.

    Beyond the C suite.
    """
    with refused(errno.EINVAL):
        namespaces.get(child.pidfd(), kind, argument)


@pytest.mark.parametrize("end", LEADER_ENDS)
def test_ended_process_has_no_namespaces(child: ThreadGroup, end: str) -> None:
    """Of a leader that has exited every request gives ESRCH, though its subthreads may live.

    The pid namespace of a dead task was followed unchecked until 8a46067783bd ("pidfs: check for
    valid pid namespace"), v6.12 and v6.11.3. Beyond the C suite.
    """
    pidfd = child.pidfd()
    end_leader(child, end)
    found = {kind.name: namespaces.answer(pidfd, kind) for kind in namespaces.configured()}
    assert found == dict.fromkeys(found, "ESRCH")


@obstacles()
def test_process_that_may_not_be_looked_into_hides_its_namespaces(obstacle: Obstacle) -> None:
    """Who may not read a process by ptrace does not get its namespaces: EACCES of every kind.

    Beyond the C suite.
    """
    caller, _, pidfd = rights.scene(obstacle)
    found = {
        kind.name: caller.leader.call(namespaces.answer, pidfd, kind)
        for kind in namespaces.configured()
    }
    assert found == dict.fromkeys(found, "EACCES")


def test_equal_process_shows_its_namespaces_to_one_without_privileges() -> None:
    """A process without capabilities gets the namespaces of another that is like it.

    Beyond the C suite; without it the refusals could have other reasons.
    """
    caller, target, pidfd = rights.equals()
    theirs = namespaces.of(target.pid)
    found = {
        kind.name: caller.leader.call(namespaces.answer, pidfd, kind)
        for kind in namespaces.configured()
    }
    assert found == theirs
