"""PIDFD_GET_INFO fills structures of every size, and none that it cannot reach."""

from __future__ import annotations

import errno

import pytest

from helpers import features, raw_info
from helpers.expect import moved, refused
from helpers.gating import needs
from helpers.process import ThreadGroup
from helpers.raw_info import FILLER, Place
from helpers.uapi import (
    PIDFD_INFO_SIZE_VER0,
    PIDFD_INFO_SIZE_VER1,
    PIDFD_INFO_SIZE_VER2,
    PIDFD_INFO_SIZE_VER3,
    InfoMask,
)

pytestmark = needs(features.GET_INFO)

EVERYTHING = InfoMask.EXIT | InfoMask.COREDUMP | InfoMask.SUPPORTED_MASK


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(PIDFD_INFO_SIZE_VER0, id="of v6.13"),
        pytest.param(PIDFD_INFO_SIZE_VER0 + 4, id="of no version"),
        pytest.param(PIDFD_INFO_SIZE_VER1, id="of v6.16"),
        pytest.param(PIDFD_INFO_SIZE_VER2, id="of v6.19"),
        pytest.param(PIDFD_INFO_SIZE_VER3, id="of v7.1"),
    ],
)
def test_caller_gets_as_much_as_its_structure_holds(child: ThreadGroup, size: int) -> None:
    """A structure of an older version is filled like the newest up to its end, and not past it.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    newest = raw_info.ask(pidfd, EVERYTHING).inside
    answer = raw_info.ask(pidfd, EVERYTHING, size)
    assert answer.inside == newest[:size]
    assert answer.behind == FILLER * len(answer.behind)


@pytest.mark.parametrize("size", [PIDFD_INFO_SIZE_VER3 + 8, 4096, 8191])
def test_caller_from_the_future_gets_zeroes(child: ThreadGroup, size: int) -> None:
    """What a larger structure holds beyond those that are known is zeroed up to its end.

    It is taken since 091ee63e36e8 ("pidfs: improve ioctl handling"), v6.14, and zeroed since
    816b2e602035 ("pidfs: switch to copy_struct_to_user()"), v6.15. Beyond the C suite.
    """
    pidfd = child.pidfd()
    newest = raw_info.ask(pidfd, EVERYTHING).inside
    answer = raw_info.ask(pidfd, EVERYTHING, size)
    assert answer.inside == newest + bytes(size - len(newest))
    assert answer.behind == FILLER * len(answer.behind)


@pytest.mark.parametrize("size", [0, 8, PIDFD_INFO_SIZE_VER0 - 1])
def test_structure_before_the_first_version_is_refused(child: ThreadGroup, size: int) -> None:
    """A structure that is shorter than the first one is no PIDFD_GET_INFO: ENOTTY.

    Beyond the C suite. EINVAL until 3c17001b21b9 ("pidfs: validate extensible ioctls"), v6.18.
    """
    with refused(*moved(errno.ENOTTY, old=errno.EINVAL, since=(6, 18))):
        raw_info.ask(child.pidfd(), 0, size)


def test_no_structure_is_refused(child: ThreadGroup) -> None:
    """A null pointer gives EINVAL, not EFAULT.

    Beyond the C suite.
    """
    with refused(errno.EINVAL):
        raw_info.ask_at(child.pidfd(), Place.NULL)


@pytest.mark.parametrize(
    "place", [place for place in Place if place is not Place.NULL], ids=lambda place: place.value
)
def test_structure_out_of_reach_is_a_fault(child: ThreadGroup, place: Place) -> None:
    """A structure that cannot be read, or not be written as a whole, gives EFAULT.

    Beyond the C suite.
    """
    with refused(errno.EFAULT):
        raw_info.ask_at(child.pidfd(), place)


def test_bits_that_nobody_knows_are_ignored(child: ThreadGroup) -> None:
    """Bits without a meaning are neither refused nor answered, and change nothing else.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    known = InfoMask(sum(InfoMask))
    assert raw_info.ask(pidfd, known | raw_info.UNKNOWN_BITS) == raw_info.ask(pidfd, known)
