"""A process of one's own becomes another's by the program that it executes.

The pidfd stays a pidfd of that process. What it is good for is asked anew at each call.
"""

from __future__ import annotations

import errno
import os
import signal

import pytest

from helpers import (
    crashes,
    features,
    features_files,
    features_getfd,
    features_info,
    features_namespaces,
    features_process,
    features_rights,
    filesystem,
    getfd,
    namespaces,
    setuid,
)
from helpers.expect import refused
from helpers.gating import needs
from helpers.info import Ids, Killed
from helpers.pidfd import Pidfd
from helpers.rights import OTHER_USER
from helpers.setuid import Scene
from helpers.signals import send
from helpers.uapi import CoredumpMask, InfoMask

pytestmark = needs(features.PIDFD_OPEN, features_process.USER_CHANGE, features_rights.SETUID_EXEC)


@pytest.fixture
def scene() -> Scene:
    """An ordinary user's process, and its child that can become root's."""
    return setuid.scene()


@needs(features_getfd.UNPRIVILEGED_GETFD)
def test_descriptors_are_out_of_reach_afterwards(scene: Scene) -> None:
    """A descriptor of the process can be copied before the exec, and none after it: EPERM.

    Beyond the C suite.
    """
    caller, target, pidfd = scene
    number = target.leader.call(os.memfd_create, "target")
    caller.leader.call(getfd.copy, pidfd, number).close()
    scene.run()
    with refused(errno.EPERM):
        caller.leader.call(getfd.copy, pidfd, 0)


@needs(features_namespaces.IOCTLS)
def test_namespaces_are_out_of_reach_afterwards(scene: Scene) -> None:
    """Every namespace of the process can be had before the exec, and none after it: EACCES.

    Beyond the C suite.
    """
    caller, target, pidfd = scene
    kinds = namespaces.configured()
    before = {kind.name: caller.leader.call(namespaces.answer, pidfd, kind) for kind in kinds}
    assert before == caller.leader.call(namespaces.of, target.pid)
    scene.run()
    after = {kind.name: caller.leader.call(namespaces.answer, pidfd, kind) for kind in kinds}
    assert after == dict.fromkeys(before, "EACCES")


@pytest.mark.parametrize("number", [0, signal.SIGKILL], ids=["0", "SIGKILL"])
def test_signals_reach_it_for_its_real_user(scene: Scene, number: int) -> None:
    """The program changes the effective and the saved user: a signal goes by the real one.

    Beyond the C suite.
    """
    scene.run()
    scene.caller.leader.call(send, scene.pidfd, number)
    if number:
        assert scene.target.reap() == Killed(number)
    else:
        scene.target.assert_runs()


@needs(features.GET_INFO)
def test_new_ids_are_told_to_anyone(scene: Scene) -> None:
    """PIDFD_GET_INFO is no secret: the new effective, saved and filesystem users are told.

    Beyond the C suite.
    """
    user, groups = OTHER_USER, Ids(*[OTHER_USER] * 4)
    before = scene.caller.leader.call(Pidfd.info, scene.pidfd)
    scene.run()
    after = scene.caller.leader.call(Pidfd.info, scene.pidfd)
    assert (before.uids, before.gids) == (groups, groups)
    assert after == before._replace(uids=Ids(user, 0, 0, 0))


@needs(features_info.COREDUMP)
def test_core_of_it_is_dumped_as_the_machine_wants(scene: Scene) -> None:
    """By fs.suid_dumpable: 0 skips, 1 dumps as user, 2 as root; before the exec it was as user.

    Beyond the C suite.
    """
    before = scene.pidfd.info(InfoMask.COREDUMP).coredump
    scene.run()
    after = scene.pidfd.info(InfoMask.COREDUMP).coredump
    states = {0: CoredumpMask.SKIP, 1: CoredumpMask.USER, 2: CoredumpMask.ROOT}
    assert (before, after) == (CoredumpMask.USER, states[crashes.suid_dumpable()])


@needs(features_files.PIDFS)
def test_pidfd_stays_the_same_and_can_be_opened_by_anyone(scene: Scene) -> None:
    """The exec makes no other process of it, and to open it needs no right.

    Beyond the C suite.
    """
    before = filesystem.identity(scene.pidfd)
    scene.run()
    opened = scene.caller.leader.call(Pidfd.open, scene.target.pid)
    assert filesystem.identity(opened) == filesystem.identity(scene.pidfd) == before
