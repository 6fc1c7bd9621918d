"""A call by sentinel keeps nothing of its caller when it is over."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from helpers import features, features_limits, limits, memory
from helpers.deadline import wait_until
from helpers.expect import answer
from helpers.gating import needs
from helpers.process import spawn
from helpers.sentinels import TAKEN, Sentinel
from helpers.syscalls import pidfd_send_signal, process_mrelease
from helpers.uapi import CloneFlag

pytestmark = needs(
    features.SELF_SENTINELS,
    features.UNPRIVILEGED_PID_NAMESPACE,
    features_limits.PID_NAMESPACE_LIMIT,
)


@pytest.mark.parametrize(
    ("name", "call", "args"),
    [
        pytest.param("pidfd_send_signal", pidfd_send_signal, (0,), id="pidfd_send_signal"),
        pytest.param(
            "process_madvise",
            memory.drop_first_page,
            (),
            id="process_madvise",
            marks=needs(features.PROCESS_MADVISE),
        ),
        pytest.param(
            "process_mrelease",
            process_mrelease,
            (),
            id="process_mrelease",
            marks=needs(features.PROCESS_MRELEASE),
        ),
    ],
)
def test_number_of_the_caller_is_not_kept(
    name: str, call: Callable[..., object], args: tuple[int, ...], sentinel: Sentinel
) -> None:
    """What a caller's number is kept in is freed with it, and so its pid namespace can go.

    a2c1f82618b0 ("signal: Fix memory leak for PIDFD_SELF* sentinels"), v6.17. The maker may have
    one such namespace: another is refused, with ENOSPC, for as long as the first is kept. Beyond
    the C suite.
    """
    maker = spawn(CloneFlag.NEWUSER, "maker")
    maker.leader.call(limits.allow, limits.PID_NAMESPACES, 1)
    first = maker.leader.fork(CloneFlag.NEWPID, role="first")
    said = answer(lambda number: first.leader.call(call, number, *args), sentinel.number)
    assert said == TAKEN[name]
    assert limits.is_reached(maker, CloneFlag.NEWPID)
    first.kill()
    first.reap()
    wait_until(
        lambda: not limits.is_reached(maker, CloneFlag.NEWPID),
        f"the pid namespace of a dead caller of {name}({sentinel}) to be freed",
    )
