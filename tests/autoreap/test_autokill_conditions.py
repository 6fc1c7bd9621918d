"""What CLONE_PIDFD_AUTOKILL asks of the other flags, and of the caller's rights."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

from helpers import autoreap, features
from helpers.autokill import assert_killed
from helpers.autoreap import AUTOKILL, bear
from helpers.expect import refused
from helpers.features_autoreap import AUTOKILL as HAS_AUTOKILL
from helpers.features_process import CLONE3
from helpers.gating import needs
from helpers.process import ThreadGroup
from helpers.rights import EVERY_CAPABILITY
from helpers.syscalls_access import drop_capabilities
from helpers.uapi import CloneFlag

pytestmark = needs(CLONE3, HAS_AUTOKILL, features.INFO_EXIT)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        pytest.param(AUTOKILL & ~CloneFlag.PIDFD, AUTOKILL, id="without CLONE_PIDFD"),
        pytest.param(AUTOKILL & ~CloneFlag.AUTOREAP, AUTOKILL, id="without CLONE_AUTOREAP"),
        pytest.param(
            AUTOKILL | autoreap.THREAD, CloneFlag.PIDFD | autoreap.THREAD, id="with CLONE_THREAD"
        ),
    ],
)
def test_flags_that_autokill_needs(child: ThreadGroup, wrong: CloneFlag, right: CloneFlag) -> None:
    """CLONE_PIDFD and CLONE_AUTOREAP must be there, CLONE_THREAD must not: EINVAL.

    Port of autokill_requires_pidfd, autokill_requires_autoreap and autokill_rejects_thread
    (pidfd_autoreap_test.c), which pass on every kernel that does not know the flag. Here the
    kernel takes the call without the mistake, as far as the pidfd that it cannot store.
    """
    with refused(errno.EFAULT):
        child.leader.call(autoreap.ask, right)
    with refused(errno.EINVAL):
        child.leader.call(autoreap.ask, wrong)


def test_child_that_could_gain_rights_needs_a_privilege(child: ThreadGroup) -> None:
    """Without CLONE_NNP the caller needs CAP_SYS_ADMIN: EPERM; with it anyone may ask.

    Port of autokill_requires_cap_sys_admin (pidfd_autoreap_test.c), which fails on kernels that do
    not know the flag, and has no control.
    """
    child.leader.call(drop_capabilities, EVERY_CAPABILITY)
    with refused(errno.EPERM):
        child.leader.call(autoreap.ask, AUTOKILL & ~CloneFlag.NNP)
    made, pidfd = bear(child.leader, AUTOKILL)
    observer = made.pidfd()
    pidfd.close()
    assert_killed(child, made, observer)


@needs(features.USER_NAMESPACE)
def test_privilege_over_the_own_user_namespace_is_enough(
    spawn: Callable[..., ThreadGroup],
) -> None:
    """CAP_SYS_ADMIN in the caller's user namespace lets it do without CLONE_NNP.

    Port of autokill_without_nnp_with_cap (pidfd_autoreap_test.c), which needs root, and never
    closes the pidfd of a living child.
    """
    parent = spawn(CloneFlag.NEWUSER, "parent")
    made, pidfd = bear(parent.leader, AUTOKILL & ~CloneFlag.NNP)
    observer = made.pidfd()
    pidfd.close()
    assert_killed(parent, made, observer)
