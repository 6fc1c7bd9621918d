"""CLONE_NNP makes a child that can gain no privileges by what it executes."""

from __future__ import annotations

import errno
import signal

import pytest

from helpers import autoreap, procfs
from helpers.autoreap import AUTOREAP, bear
from helpers.expect import refused
from helpers.features_autoreap import AUTOREAP as HAS_AUTOREAP
from helpers.features_autoreap import NNP, NNP_UNSET
from helpers.features_process import CLONE3
from helpers.gating import needs
from helpers.process import ThreadGroup
from helpers.uapi import CloneFlag

pytestmark = needs(CLONE3, NNP)


def _no_new_privs(group: ThreadGroup) -> bool:
    return procfs.status(group.pid)["NoNewPrivs"] == "1"


@needs(NNP_UNSET)
@pytest.mark.parametrize(
    ("flags", "exit_signal"),
    [
        pytest.param(AUTOREAP | CloneFlag.NNP, 0, id="with autoreap", marks=needs(HAS_AUTOREAP)),
        pytest.param(CloneFlag.PIDFD | CloneFlag.NNP, signal.SIGCHLD, id="alone"),
    ],
)
def test_child_has_no_new_privs(child: ThreadGroup, flags: CloneFlag, exit_signal: int) -> None:
    """CLONE_NNP sets no_new_privs on the child, and leaves the parent's alone.

    Port of nnp_sets_no_new_privs (pidfd_autoreap_test.c), which fails where no_new_privs is set
    for the whole run.
    """
    made, _ = bear(child.leader, flags, exit_signal)
    assert (_no_new_privs(made), _no_new_privs(child)) == (True, False)


@needs(NNP_UNSET, HAS_AUTOREAP)
def test_autoreap_alone_leaves_no_new_privs_unset(child: ThreadGroup) -> None:
    """CLONE_AUTOREAP without CLONE_NNP takes no rights from the child.

    Port of autoreap_no_new_privs_unset (pidfd_autoreap_test.c).
    """
    made, _ = bear(child.leader, AUTOREAP)
    assert not _no_new_privs(made)


def test_threads_are_refused(child: ThreadGroup) -> None:
    """CLONE_NNP with CLONE_THREAD is refused with EINVAL.

    Port of nnp_rejects_thread (pidfd_autoreap_test.c), which passes on every kernel that does not
    know the flag. Here the kernel takes the thread without it, as far as the pidfd that it cannot
    store.
    """
    with refused(errno.EFAULT):
        child.leader.call(autoreap.ask, CloneFlag.PIDFD | autoreap.THREAD)
    with refused(errno.EINVAL):
        child.leader.call(autoreap.ask, CloneFlag.PIDFD | CloneFlag.NNP | autoreap.THREAD)
