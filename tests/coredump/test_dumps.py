"""PIDFD_INFO_COREDUMP tells of a crashed process that it dumped core, and why.

Only a dump that is handed over is told of, which is for the machine to set up: on a socket by
``kernel.core_pattern=@/PATH``, to a helper by ``--own-machine``. A dump into a file leaves no trace
in a pidfd.
"""

from __future__ import annotations

import signal

import pytest

from helpers import crashes, features_info, features_sockets, raw_info, records
from helpers.crashes import Crash, Taker
from helpers.gating import needs
from helpers.info import Killed
from helpers.process import ThreadGroup
from helpers.uapi import SEGV_MAPERR, SI_TKILL, InfoMask, PollEvent

pytestmark = [
    needs(features_info.COREDUMP),
    pytest.mark.parametrize(
        "taker",
        [
            pytest.param(Taker.SOCKET, marks=needs(features_sockets.DUMP_SOCKET), id="socket"),
            pytest.param(Taker.HELPER, marks=needs(features_sockets.DUMP_HELPER), id="helper"),
        ],
    ),
]

CRASHES = pytest.mark.parametrize(
    ("way", "number", "code"),
    [
        pytest.param(Crash.ABORT, signal.SIGABRT, SI_TKILL, id="by abort"),
        pytest.param(Crash.FAULT, signal.SIGSEGV, SEGV_MAPERR, id="by a fault"),
    ],
)


@CRASHES
def test_receiver_of_a_dump_is_told_the_signal_and_its_code(
    child: ThreadGroup, taker: Taker, way: Crash, number: int, code: int
) -> None:
    """While a process dumps core its pidfd tells that, as whom, the signal and its si_code.

    Beyond the C suite, which has it in another directory.
    """
    alive, supported = records.of_task(child.leader), raw_info.supported(child.pidfd())
    with crashes.receiver(taker) as receiver:
        child.leader.begin(crashes.crash, way)
        dump = receiver.dump()
    assert dump.info == records.with_dump(alive, number, code, supported)


def test_subthread_that_crashes_dumps_its_process(child: ThreadGroup, taker: Taker) -> None:
    """The pidfd that a dump is told by is of the process, whichever of its threads crashes.

    Beyond the C suite.
    """
    alive, supported = records.of_task(child.leader), raw_info.supported(child.pidfd())
    with crashes.receiver(taker) as receiver:
        child.spawn_thread().begin(crashes.crash, Crash.FAULT)
        dump = receiver.dump()
    assert dump.info == records.with_dump(alive, signal.SIGSEGV, SEGV_MAPERR, supported)


def test_process_that_dumps_core_has_not_ended(child: ThreadGroup, taker: Taker) -> None:
    """Until its dump is taken a crashed process is silent, and there is nothing to wait for.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    with crashes.receiver(taker) as receiver:
        child.leader.begin(crashes.crash, Crash.FAULT)
        with receiver.held():
            found = pidfd.poll(), pidfd.peek(), pidfd.info(InfoMask.EXIT).exit
    assert found == (PollEvent.NONE, None, None)
    assert child.reap() == Killed(signal.SIGSEGV, core_dumped=True)


@CRASHES
def test_dump_is_told_after_the_reap(
    child: ThreadGroup, taker: Taker, way: Crash, number: int, code: int
) -> None:
    """What was told during the dump is told of the reaped process, beside its end.

    Beyond the C suite, which has it in another directory.
    """
    pidfd, outcome = child.pidfd(), Killed(number, core_dumped=True)
    supported = raw_info.supported(pidfd)
    with crashes.receiver(taker) as receiver:
        child.leader.begin(crashes.crash, way)
        receiver.discard()
    assert child.reap() == outcome
    found = pidfd.info(InfoMask.EXIT | InfoMask.COREDUMP)
    assert found == records.with_dump(records.of_reaped(outcome), number, code, supported)


@needs(features_info.SUPPORTED_MASK)
@pytest.mark.parametrize(
    "bit",
    [
        pytest.param(
            InfoMask.COREDUMP_SIGNAL,
            marks=needs(features_info.COREDUMP_SIGNAL),
            id="COREDUMP_SIGNAL",
        ),
        pytest.param(
            InfoMask.COREDUMP_CODE, marks=needs(features_info.COREDUMP_CODE), id="COREDUMP_CODE"
        ),
    ],
)
def test_bit_of_a_dump_is_supported_and_answered(
    child: ThreadGroup, taker: Taker, bit: InfoMask
) -> None:
    """A kernel that claims to tell the signal, or its code, tells it of a process that dumped.

    Beyond the C suite, which reads the claim and the answer in different places.
    """
    pidfd = child.pidfd()
    claimed = bit in raw_info.supported(pidfd)
    with crashes.receiver(taker) as receiver:
        child.leader.begin(crashes.crash, Crash.ABORT)
        receiver.discard()
    child.reap()
    answered = bit in pidfd.info(InfoMask.EXIT | InfoMask.COREDUMP).mask
    assert (claimed, answered) == (True, True)
