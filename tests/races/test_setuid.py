"""Who may look into a process, against an exec that makes it privileged."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial

import pytest

from helpers import (
    features_getfd,
    features_namespaces,
    features_process,
    features_rights,
    namespaces,
    race_rules,
    setuid,
)
from helpers.gating import needs
from helpers.race_driver import MakeObserver
from helpers.race_namespaces import ITS_NAMESPACE, GetOurNamespace
from helpers.race_observers import ITS_FILE, GetFd
from helpers.race_setuid import become_root_by_exec
from helpers.races import Race
from helpers.rights import OTHER_USER

pytestmark = needs(features_process.USER_CHANGE, features_rights.SETUID_EXEC)


@pytest.mark.parametrize(
    ("observer", "seen", "error"),
    [
        pytest.param(
            GetOurNamespace,
            ITS_NAMESPACE,
            errno.EACCES,
            id="namespaces",
            marks=needs(features_namespaces.IOCTLS, features_namespaces.KIND[namespaces.UTS]),
        ),
        pytest.param(
            GetFd,
            ITS_FILE,
            errno.EPERM,
            id="files",
            marks=needs(features_getfd.UNPRIVILEGED_GETFD),
        ),
    ],
)
def test_a_process_that_becomes_root_lets_nobody_look_any_more(
    race: Callable[..., Race], observer: MakeObserver, seen: object, error: int
) -> None:
    """Its user gets at what is the process's until the exec, and at nothing from then on.

    Beyond the C suite.
    """
    scene = partial(become_root_by_exec, program=setuid.program())
    played = race(scene, observer, user=OTHER_USER)
    played.assert_each(race_rules.is_refused_in_the_end(seen, error))
