"""A process in a Landlock domain reaches others by their pidfds only if they are in it too."""

from __future__ import annotations

import errno
import os
from signal import SIGKILL, SIGUSR1

import pytest

from helpers import (
    features,
    features_getfd,
    features_landlock,
    features_namespaces,
    features_process,
    getfd,
    landlock,
    namespaces,
    procfs,
    records,
    signals,
)
from helpers.expect import refused
from helpers.gating import needs
from helpers.landlock import Scene
from helpers.pidfd import Pidfd
from helpers.uapi import CloneFlag
from helpers.uapi_rights import Scope

pytestmark = needs(features.PIDFD_OPEN, features_landlock.LANDLOCK)


@pytest.fixture
def scene() -> Scene:
    """In a domain that forbids nothing of what is done here."""
    return landlock.scene(Scope.NONE)


@pytest.fixture
def scoped() -> Scene:
    """In a domain that keeps signals inside."""
    return landlock.scene(Scope.SIGNAL)


@needs(features_landlock.SIGNAL_SCOPE, features_process.SEND_SIGNAL)
@pytest.mark.parametrize("number", [0, SIGUSR1, SIGKILL], ids=["0", "SIGUSR1", "SIGKILL"])
def test_signal_does_not_leave_its_domain(scoped: Scene, number: int) -> None:
    """With LANDLOCK_SCOPE_SIGNAL a process outside the domain is not signalled: EPERM.

    Beyond the C suite.
    """
    with refused(errno.EPERM):
        scoped.confined.call(signals.send, scoped.outside.pidfd(), number)
    assert procfs.pending_signals(scoped.outside.pid) == (set(), set())
    assert scoped.outside.leader.call(os.getpid) == scoped.outside.pid


@needs(features_landlock.SIGNAL_SCOPE, features_process.SEND_SIGNAL)
@pytest.mark.parametrize("whose", ["a child", "oneself"])
def test_signal_reaches_its_domain(scoped: Scene, whose: str) -> None:
    """A child that was made inside, and oneself, are signalled as before.

    Beyond the C suite.
    """
    target = scoped.inside if whose == "a child" else scoped.confined.group
    target.leader.call(signals.block, SIGUSR1)
    scoped.confined.call(signals.send, target.pidfd(), SIGUSR1)
    assert procfs.pending_signals(target.pid) == (set(), {SIGUSR1})


@needs(features_process.SEND_SIGNAL)
def test_domain_without_a_scope_lets_signals_out(scene: Scene) -> None:
    """Of a domain that is about files alone signals know nothing.

    Beyond the C suite.
    """
    scene.outside.leader.call(signals.block, SIGUSR1)
    scene.confined.call(signals.send, scene.outside.pidfd(), SIGUSR1)
    assert procfs.pending_signals(scene.outside.pid) == (set(), {SIGUSR1})


@needs(features_getfd.UNPRIVILEGED_GETFD)
def test_descriptors_outside_the_domain_are_out_of_reach(scene: Scene) -> None:
    """Every domain keeps pidfd_getfd(2) from a process outside: EPERM; inside it copies.

    Beyond the C suite.
    """
    scene.confined.call(getfd.copy, scene.inside.pidfd(), 2).close()
    with refused(errno.EPERM):
        scene.confined.call(getfd.copy, scene.outside.pidfd(), 2)


@needs(features_namespaces.SETNS, features_namespaces.KIND[namespaces.USER])
def test_namespaces_outside_the_domain_are_not_entered(scene: Scene) -> None:
    """Every domain keeps setns(2) from a process outside: EPERM.

    Inside the user namespace is looked at, which one is in already: EINVAL. Beyond the C suite.
    """
    with refused(errno.EINVAL):
        scene.confined.call(namespaces.enter, scene.inside.pidfd(), CloneFlag.NEWUSER)
    with refused(errno.EPERM):
        scene.confined.call(namespaces.enter, scene.outside.pidfd(), CloneFlag.NEWUSER)


@needs(features_namespaces.IOCTLS)
def test_namespaces_outside_the_domain_are_not_shown(scene: Scene) -> None:
    """Every domain keeps the namespaces of a process outside from view: EACCES.

    Beyond the C suite.
    """
    kinds, told = namespaces.configured(), namespaces.of(scene.inside.pid)
    pidfds = {"inside": scene.inside.pidfd(), "outside": scene.outside.pidfd()}
    found = {
        where: {kind.name: scene.confined.call(namespaces.answer, pidfd, kind) for kind in kinds}
        for where, pidfd in pidfds.items()
    }
    assert found == {"inside": told, "outside": dict.fromkeys(told, "EACCES")}


@needs(features.GET_INFO)
def test_information_is_given_about_processes_outside_the_domain(scene: Scene) -> None:
    """PIDFD_GET_INFO asks for no right over the process, and no domain stands in its way.

    Beyond the C suite.
    """
    told = scene.confined.call(Pidfd.info, scene.outside.pidfd())
    assert told == records.of_task(scene.outside.leader)
