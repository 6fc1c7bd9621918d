"""Which user ids of the caller a call goes by: the real ones, or those for files.

A call on a pidfd that looks into a process asks for the rights of a tracer (ptrace(2), "Ptrace
access mode checking"): by the real ids where it is the call itself that names them, by the
filesystem ids where others do the same by a file in /proc.
"""

from __future__ import annotations

from helpers import (
    features,
    features_getfd,
    features_namespaces,
    features_process,
    features_rights,
    getfd,
    memory,
    namespaces,
    rights,
)
from helpers.expect import answer
from helpers.gating import needs
from helpers.rights import Share
from helpers.uapi import MADV_COLD, CloneFlag

pytestmark = needs(features.PIDFD_OPEN, features_rights.OTHER_IDS, features_process.USER_CHANGE)


@needs(features_getfd.UNPRIVILEGED_GETFD)
def test_descriptors_are_copied_by_the_real_user() -> None:
    """pidfd_getfd(2) goes by the caller's real user id: EPERM where that is another's.

    Beyond the C suite.
    """
    found = {}
    for share in Share:
        caller, _, pidfd = rights.sharer(share)
        found[share] = answer(caller.leader.call, getfd.copy, pidfd, 2)
    assert found == {
        Share.BOTH: "done",
        Share.REAL: "done",
        Share.EFFECTIVE: "EPERM",
        Share.NEITHER: "EPERM",
    }


@needs(features_namespaces.SETNS, features_namespaces.KIND[namespaces.USER])
def test_namespaces_are_entered_by_the_real_user() -> None:
    """setns(2) goes by the caller's real user id: EPERM where that is another's.

    Otherwise the user namespace is looked at, which one is in already: EINVAL. Beyond the C suite.
    """
    found = {}
    for share in Share:
        caller, _, pidfd = rights.sharer(share)
        found[share] = answer(caller.leader.call, namespaces.enter, pidfd, CloneFlag.NEWUSER)
    assert found == {
        Share.BOTH: "EINVAL",
        Share.REAL: "EINVAL",
        Share.EFFECTIVE: "EPERM",
        Share.NEITHER: "EPERM",
    }


@needs(features_namespaces.IOCTLS)
def test_namespaces_are_shown_to_the_user_for_files() -> None:
    """PIDFD_GET_*_NAMESPACE goes by the filesystem user id: EACCES where that is another's.

    Beyond the C suite.
    """
    found = {}
    for share in Share:
        caller, _, pidfd = rights.sharer(share)
        found[share] = answer(caller.leader.call, namespaces.get, pidfd, namespaces.MNT)
    assert found == {
        Share.BOTH: "done",
        Share.REAL: "EACCES",
        Share.EFFECTIVE: "done",
        Share.NEITHER: "EACCES",
    }


@needs(features.PROCESS_MADVISE)
def test_advice_is_taken_from_the_user_for_files() -> None:
    """process_madvise(2) goes by the filesystem user id: EACCES where that is another's.

    Otherwise the privilege is asked for that advice needs: EPERM. Beyond the C suite.
    """
    found = {}
    for share in Share:
        caller, target, pidfd = rights.sharer(share)
        page = target.leader.call(memory.write_page)
        found[share] = answer(caller.leader.call, memory.advise, pidfd, page, MADV_COLD)
    assert found == {
        Share.BOTH: "EPERM",
        Share.REAL: "EACCES",
        Share.EFFECTIVE: "EPERM",
        Share.NEITHER: "EACCES",
    }
