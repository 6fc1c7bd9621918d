"""setns(2) by a pidfd needs a privilege for each namespace, whoever the process belongs to."""

from __future__ import annotations

import errno

import pytest

from helpers import features_namespaces, namespaces, rights
from helpers.expect import refused
from helpers.gating import needs
from helpers.namespaces import Kind
from helpers.uapi import CloneFlag

pytestmark = needs(features_namespaces.SETNS)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, id=kind.name, marks=needs(features_namespaces.KIND[kind]))
        for kind in namespaces.KINDS
        if kind.flag and kind.flag is not CloneFlag.NEWUSER
    ],
)
def test_namespaces_of_an_equal_are_not_entered_without_a_privilege(kind: Kind) -> None:
    """A process without capabilities may look into its equal, and enters none of its namespaces.

    EPERM, even where both are in the same one. Beyond the C suite, which always has the privilege.
    """
    mover, _, pidfd = rights.equals()
    before = namespaces.of(mover.pid)
    with refused(errno.EPERM):
        mover.leader.call(namespaces.enter, pidfd, kind.flag)
    assert namespaces.of(mover.pid) == before


@needs(features_namespaces.KIND[namespaces.USER])
def test_user_namespace_of_an_equal_is_not_entered_again() -> None:
    """EINVAL for the user namespace that one is in: it would give every capability in it.

    From user_namespaces(7). Beyond the C suite.
    """
    mover, _, pidfd = rights.equals()
    with refused(errno.EINVAL):
        mover.leader.call(namespaces.enter, pidfd, CloneFlag.NEWUSER)
