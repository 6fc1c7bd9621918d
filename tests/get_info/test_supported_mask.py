"""pidfd_info.supported_mask says which bits the kernel knows."""

from __future__ import annotations

import errno

import pytest

from helpers import features, features_info, kernel, raw_info
from helpers.expect import refused
from helpers.gating import needs
from helpers.info import Exited
from helpers.process import ThreadGroup
from helpers.uapi import PIDFD_INFO_SIZE_VER0, InfoMask

pytestmark = needs(features_info.SUPPORTED_MASK)


@pytest.mark.parametrize(
    "bit",
    [
        pytest.param(InfoMask.PID, id="PID"),
        pytest.param(InfoMask.CREDS, id="CREDS"),
        pytest.param(InfoMask.CGROUPID, id="CGROUPID", marks=needs(features_info.CGROUPID)),
        pytest.param(InfoMask.COREDUMP, id="COREDUMP", marks=needs(features_info.COREDUMP)),
    ],
)
def test_bit_of_a_live_process_is_supported_and_answered(child: ThreadGroup, bit: InfoMask) -> None:
    """A kernel that claims a bit answers it, and claims what it answers.

    Port of global.supported_mask_field (pidfd_info_test.c), which reads the claim alone.
    """
    pidfd = child.pidfd()
    claimed, answered = bit in raw_info.supported(pidfd), bit in raw_info.ask(pidfd, bit).mask
    assert (claimed, answered) == (True, True)


@needs(features.INFO_EXIT)
def test_bit_of_a_reaped_process_is_supported_and_answered(child: ThreadGroup) -> None:
    """A kernel that claims exit information gives it.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    claimed = InfoMask.EXIT in raw_info.supported(pidfd)
    child.leader.exit_group()
    child.reap()
    assert (claimed, pidfd.info(InfoMask.EXIT).exit) == (True, Exited(0))


def test_mask_names_all_that_the_version_has(child: ThreadGroup) -> None:
    """No bit is missing in the mask that the kernel's version has.

    Port of global.supported_mask_field (pidfd_info_test.c), which asks for each of v7.1 always.
    """
    due = InfoMask(sum(InfoMask))
    if kernel.running() < (7, 1):
        due &= ~InfoMask.COREDUMP_CODE
    assert raw_info.supported(child.pidfd()) & due == due


def test_mask_is_told_beside_all_else(child: ThreadGroup) -> None:
    """Asking for the mask adds it to the answer, and changes nothing else.

    Port of global.supported_mask_with_other_fields (pidfd_info_test.c), which compares bits only.
    """
    pidfd, offset = child.pidfd(), raw_info.supported_offset()
    without = raw_info.ask(pidfd)
    beside = raw_info.ask(pidfd, InfoMask.SUPPORTED_MASK)
    assert beside.mask == without.mask | InfoMask.SUPPORTED_MASK
    assert beside.inside[8:offset] == without.inside[8:offset]
    assert beside.inside[offset + 8 :] == without.inside[offset + 8 :]


def test_mask_is_not_told_unasked(child: ThreadGroup) -> None:
    """Without its bit all fields behind exit_code stay zero.

    Beyond the C suite.
    """
    answer = raw_info.ask(child.pidfd())
    assert InfoMask.SUPPORTED_MASK not in answer.mask
    assert not any(answer.inside[PIDFD_INFO_SIZE_VER0:])


def test_reaped_process_is_not_asked_what_the_kernel_supports(child: ThreadGroup) -> None:
    """Of a reaped process the mask is told beside its exit, and by itself refused: ESRCH.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    alive = raw_info.supported(pidfd)
    child.leader.exit_group()
    child.reap()
    with refused(errno.ESRCH):
        raw_info.supported(pidfd)
    assert raw_info.supported(pidfd, InfoMask.EXIT) == alive
