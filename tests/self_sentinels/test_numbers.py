"""Which numbers are sentinels, on each call that takes one."""

from __future__ import annotations

import pytest

from helpers import features, kernel
from helpers.expect import answer
from helpers.gating import needs
from helpers.sentinels import (
    NUMBER_MOVED,
    TAKEN,
    TAKERS,
    Sentinel,
    answers,
    answers_to_caller,
    numbers_beside,
)
from helpers.uapi import PIDFD_SELF_THREAD_GROUP, PIDFD_SELF_THREAD_GROUP_V6_15

pytestmark = needs(features.PIDFD_OPEN, features.SELF_SENTINELS)

CALLS = [
    "pidfd_send_signal",
    pytest.param("process_madvise", marks=needs(features.PROCESS_MADVISE)),
    pytest.param("process_mrelease", marks=needs(features.PROCESS_MRELEASE)),
]
NEW, OLD = PIDFD_SELF_THREAD_GROUP, PIDFD_SELF_THREAD_GROUP_V6_15


@pytest.mark.parametrize("call", CALLS)
def test_group_sentinel_has_one_number(call: str) -> None:
    """PIDFD_SELF_THREAD_GROUP is -10001 since v6.17; before, it was -20000. Never both.

    A program built against the headers of v6.15 or v6.16 is refused since, with EBADF. Beyond
    the C suite, which knows the number of its own headers only.
    """
    found = answers(TAKERS[call], (NEW, OLD))
    due = [{NEW: TAKEN[call], OLD: "EBADF"}]
    if kernel.running() < NUMBER_MOVED:
        due.append({NEW: "EBADF", OLD: TAKEN[call]})
    assert found in due


@pytest.mark.parametrize("call", CALLS)
def test_every_call_takes_the_same_numbers(call: str, sentinel: Sentinel) -> None:
    """The number that `pidfd_send_signal` takes is taken by the others too, as a pidfd is.

    Beyond the C suite.
    """
    due = {str(sentinel): TAKEN[call], "a pidfd of the caller": TAKEN[call]}
    assert answers_to_caller(TAKERS[call], sentinel) == due


@pytest.mark.parametrize("call", CALLS)
def test_numbers_beside_the_sentinels_are_no_descriptors(call: str) -> None:
    """Other negative numbers give EBADF, those included that are reserved for other purposes.

    Beyond the C suite.
    """
    numbers = numbers_beside()
    assert answers(TAKERS[call], numbers) == dict.fromkeys(numbers, "EBADF")


@pytest.mark.parametrize("call", CALLS)
def test_sentinel_counts_as_an_int(call: str, sentinel: Sentinel) -> None:
    """The upper half of a wide register is not looked at: a sentinel without its sign is the same.

    Beyond the C suite.
    """
    assert answer(TAKERS[call], sentinel.number % (1 << 32)) == TAKEN[call]
