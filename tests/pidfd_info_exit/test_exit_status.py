"""The recorded exit code is what waitid said to the parent."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence

import pytest

from helpers import coredump, crashes, features, features_sockets, records
from helpers.features_process import SEND_SIGNAL
from helpers.gating import needs
from helpers.info import Exited, Killed
from helpers.process import ThreadGroup
from helpers.uapi import CloneFlag, InfoMask, PidfdFlag

pytestmark = needs(features.INFO_EXIT)

CORE_DUMPING = [signal.SIGQUIT, signal.SIGABRT, signal.SIGSEGV]
OTHERS = [
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGKILL,
    signal.SIGUSR1,
    signal.SIGALRM,
    signal.SIGTERM,
    signal.SIGRTMIN + 1,
    signal.SIGRTMAX,
]


def by_signal(numbers: Sequence[int]) -> pytest.MarkDecorator:
    """One test a signal, by its name."""
    params = [pytest.param(n, id=repr(Killed(n))[7:-1]) for n in numbers]
    return pytest.mark.parametrize("number", params)


@pytest.mark.parametrize("status", [0, 1, 2, 42, 126, 127, 128, 129, 137, 254, 255])
def test_status_of_an_exit_is_told(child: ThreadGroup, scope: PidfdFlag, status: int) -> None:
    """A process that exits is told by its status, also by those that look like a signal's end.

    Beyond the C suite, which knows status 0 only.
    """
    pidfd = child.pidfd(scope)
    child.leader.exit_group(status)
    assert child.reap() == Exited(status)
    assert pidfd.info(InfoMask.EXIT) == records.of_reaped(Exited(status))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        pytest.param(256, 0, id="256 becomes 0"),
        pytest.param(383, 127, id="383 becomes 127"),
        pytest.param(-1, 255, id="-1 becomes 255"),
    ],
)
def test_status_keeps_its_low_eight_bits(child: ThreadGroup, given: int, told: int) -> None:
    """A larger status is cut down to a byte, and does not run into the signal's place.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    child.leader.exit_group(given)
    assert child.reap() == Exited(told)
    assert pidfd.info(InfoMask.EXIT) == records.of_reaped(Exited(told))


@by_signal(OTHERS)
def test_signal_that_killed_is_told(child: ThreadGroup, scope: PidfdFlag, number: int) -> None:
    """A process that a signal killed is told by the signal.

    Beyond the C suite, which knows SIGKILL only.
    """
    pidfd = child.pidfd(scope)
    child.kill(number)
    assert child.reap() == Killed(number)
    assert pidfd.info(InfoMask.EXIT) == records.of_reaped(Killed(number))


@by_signal(CORE_DUMPING)
def test_signal_that_might_dump_core_is_told_without_a_dump(
    child: ThreadGroup, number: int
) -> None:
    """The core-dump bit is not set where the signal would dump core and the process must not.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    child.leader.call(coredump.forbid)
    child.kill(number)
    assert child.reap() == Killed(number)
    assert pidfd.info(InfoMask.EXIT) == records.of_reaped(Killed(number))


@needs(features_sockets.CORE_DUMP)
@by_signal(CORE_DUMPING)
def test_core_dump_is_told(spawn: Callable[..., ThreadGroup], number: int) -> None:
    """A process that dumped core is told by the signal, with the core-dump bit set.

    Beyond the C suite.
    """
    child = spawn(CloneFlag.NEWUSER | CloneFlag.NEWNS)
    pidfd = child.pidfd()
    with crashes.unkept(child) as discard:
        child.kill(number)
        discard()
    assert child.reap() == Killed(number, core_dumped=True)
    assert pidfd.info(InfoMask.EXIT) == records.of_reaped(Killed(number, core_dumped=True))


@needs(SEND_SIGNAL)
@needs(features_sockets.CORE_DUMP)
def test_core_dump_of_a_subthread_is_told_of_its_process(
    spawn: Callable[..., ThreadGroup],
) -> None:
    """A process that dumped core by a signal to a subthread is told as waitid tells it.

    Beyond the C suite. The leader takes the group's exit code before the dump is written, and
    keeps it when it is the last to go.
    """
    child = spawn(CloneFlag.NEWUSER | CloneFlag.NEWNS)
    thread = child.spawn_thread()
    pidfds = child.pidfd(), thread.pidfd(PidfdFlag.THREAD)
    with crashes.unkept(child) as discard:
        pidfds[1].send_signal(signal.SIGQUIT)
        discard()
    outcome = Killed(signal.SIGQUIT, core_dumped=True)
    assert child.reap() == outcome
    due = records.of_reaped(outcome)
    assert [pidfd.info(InfoMask.EXIT) for pidfd in pidfds] == [due, due]
