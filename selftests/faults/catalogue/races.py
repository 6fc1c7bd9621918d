"""Faults that show once in a while: one attempt in so many is answered wrongly.

They are put where observers of races call the kernel, behind `helpers.attempts.repeat`: a fault
edits a vector of results and answers that the kernel has filled.
"""

from __future__ import annotations

import functools
import os
import random
import signal
import time
from collections.abc import Callable
from typing import Any

from helpers import attempts, deadline, race_autokill, race_observers
from helpers.attempts import Attempts
from helpers.uapi import InfoMask, PollEvent
from selftests.faults import boundary
from selftests.faults.boundary import EACCES, EBADF, EPERM, ESRCH, Real
from selftests.faults.registry import fault

_ENDED, _IDENTITY = int(InfoMask.EXIT), int(InfoMask.PID | InfoMask.CREDS)
_SHORTLY = 0.8  # seconds for a wake-up that does not come
_IN, _HUP = int(PollEvent.IN), int(PollEvent.HUP)
Edit = Callable[[Attempts, list[int], int], None]


def edits_attempts(
    what: str, *, sound: Callable[[Any, int], bool] | None = None, again: bool = False
) -> Callable[[Edit], Edit]:
    """Enter a fault that edits one attempt at `what` in each vector.

    It is one for which `sound` holds, given its answer or for want of that its result, and with
    `again` one for which it has held before in that vector.
    """

    def enter(edit: Edit) -> Edit:
        def install() -> None:
            boundary.replace(attempts, "repeat", functools.partial(broken, attempts.repeat))

        generator = random.Random(1)

        def broken(real: Real, tries: Attempts, stop: Any, due: int) -> list[int]:
            results: list[int] = real(tries, stop, due)
            if tries.what == what:
                fit = [
                    at
                    for at, result in enumerate(results)
                    if sound is None or sound(tries.answers and tries.answers[at], result)
                ]
                if len(fit) > again:
                    edit(tries, results, generator.choice(fit[again:]))
            return results

        install.__name__, install.__doc__, install.__module__ = (
            edit.__name__,
            edit.__doc__,
            edit.__module__,
        )
        fault()(install)
        return edit

    return enter


def _has_ended(answer: Any, result: int) -> bool:
    return not result and bool(answer.mask & _ENDED) and not answer.mask & _IDENTITY


def _has_identity(answer: Any, result: int) -> bool:
    return not result and bool(answer.mask & _IDENTITY)


def _is_readable(answer: Any, result: int) -> bool:
    return result > 0 and bool(answer.revents & _IN)


def _is_hung_up(answer: Any, result: int) -> bool:
    return result > 0 and bool(answer.revents & _HUP)


def _is_refused(_: Any, result: int) -> bool:
    return result == -ESRCH


@edits_attempts("PIDFD_GET_INFO")
def info_fails_at_times(_: Attempts, results: list[int], at: int) -> None:
    """Who asks for exit information is always answered."""
    results[at] = -ESRCH


@edits_attempts("PIDFD_GET_INFO", sound=_has_identity)
def info_is_empty_at_times(tries: Attempts, _: list[int], at: int) -> None:
    """An answer has identity or exit information."""
    tries.answers[at].mask = int(InfoMask.CGROUPID)


@edits_attempts("PIDFD_GET_INFO", sound=_has_identity)
def pid_is_torn_at_times(tries: Attempts, _: list[int], at: int) -> None:
    """The pid is the task's at every moment."""
    tries.answers[at].pid += 1


@edits_attempts("PIDFD_GET_INFO", sound=_has_identity)
def living_task_has_ended_at_times(tries: Attempts, _: list[int], at: int) -> None:
    """A living task has no exit information."""
    tries.answers[at].mask |= _ENDED


@edits_attempts("PIDFD_GET_INFO", sound=_has_ended, again=True)
def exit_information_changes_at_times(tries: Attempts, _: list[int], at: int) -> None:
    """Exit information stays the same."""
    tries.answers[at].exit_code ^= 2  # of the signal, which is told of whatever ending


@edits_attempts("PIDFD_GET_INFO", sound=_has_ended, again=True)
def identity_comes_back_at_times(tries: Attempts, _: list[int], at: int) -> None:
    """Identity that is gone does not come back."""
    tries.answers[at].mask |= _IDENTITY


@edits_attempts("poll", sound=_is_readable, again=True)
def input_goes_away_at_times(tries: Attempts, results: list[int], at: int) -> None:
    """IN stays."""
    tries.answers[at].revents &= ~_IN


@edits_attempts("poll", sound=_is_hung_up, again=True)
def hangup_goes_away_at_times(tries: Attempts, _: list[int], at: int) -> None:
    """HUP stays."""
    tries.answers[at].revents &= ~_HUP


@edits_attempts("epoll", sound=lambda _, result: result > 0, again=True)
def epoll_forgets_at_times(_: Attempts, results: list[int], at: int) -> None:
    """What epoll has told it tells again."""
    results[at] = 0


@edits_attempts("poll")
def poll_tells_of_an_end_at_times(tries: Attempts, results: list[int], at: int) -> None:
    """A living process is not notified of, not even for a moment."""
    results[at] = 1
    tries.answers[at].revents |= _IN


@edits_attempts("epoll")
def epoll_tells_of_an_end_at_times(tries: Attempts, results: list[int], at: int) -> None:
    """A living process is not notified of by epoll, not even for a moment."""
    results[at] = 1
    tries.answers[at].events |= _IN


@edits_attempts("poll and PIDFD_GET_INFO", sound=lambda _, result: result >= attempts.HANGUP)
def hangup_comes_early_at_times(_: Attempts, results: list[int], at: int) -> None:
    """At the hangup exit information is there."""
    results[at] |= ESRCH * 2 * attempts.HANGUP


@edits_attempts("pidfd_getfd", sound=_is_refused)
def getfd_finds_no_file_at_times(_: Attempts, results: list[int], at: int) -> None:
    """A process that ends has no files, which is ESRCH, not EBADF."""
    results[at] = -EBADF


@edits_attempts("pidfd_open", sound=lambda _, result: result >= 0)
def open_finds_another_at_times(_: Attempts, results: list[int], at: int) -> None:
    """A number opens the process that has it."""
    os.close(results[at])
    results[at] = boundary.null()


@edits_attempts("pidfd_open", sound=lambda _, result: result >= 0)
def open_finds_none_at_times(_: Attempts, results: list[int], at: int) -> None:
    """The number of a process opens it for as long as it is there."""
    os.close(results[at])
    results[at] = -ESRCH


@edits_attempts("pidfd_send_signal", sound=_is_refused, again=True)
def signal_is_sent_again_at_times(_: Attempts, results: list[int], at: int) -> None:
    """Who is gone gets no more signals."""
    results[at] = 0


@edits_attempts("pidfd_getfd", sound=lambda _, result: result == -EPERM)
def getfd_looks_into_root_at_times(_: Attempts, results: list[int], at: int) -> None:
    """The files of a process that has become privileged are out of reach."""
    results[at] = boundary.null()


@edits_attempts("ioctl", sound=lambda _, result: result >= 0)
def namespace_is_another_at_times(_: Attempts, results: list[int], at: int) -> None:
    """A namespace is that of the process."""
    os.close(results[at])
    results[at] = boundary.null()


@edits_attempts("ioctl", sound=lambda _, result: result == -EACCES)
def namespace_of_root_is_given_at_times(_: Attempts, results: list[int], at: int) -> None:
    """The namespaces of a process that has become privileged are out of reach."""
    results[at] = boundary.null()


@edits_attempts("setns", sound=lambda _, result: result > 0)
def setns_stops_half_way_at_times(_: Attempts, results: list[int], at: int) -> None:
    """Namespaces are entered all or none."""
    results[at] = 1


@edits_attempts("copy", sound=lambda _, result: result >= 0)
def copy_does_not_count_at_times(_: Attempts, results: list[int], at: int) -> None:
    """A child lives for as long as its pidfd has a copy."""
    results[at] = _IN


@fault()
def signal_goes_by_number() -> None:
    """A signal goes to the process of the pidfd, whatever process has its number."""
    real = attempts.repeat
    last: list[int] = []

    def broken(tries: Attempts, stop: Any, due: int) -> list[int]:
        fd = tries.subject.value
        if tries.what == "pidfd_send_signal" and stop[0] != due:
            with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as file:
                numbers = dict(line.split(":", 1) for line in file)["NSpid"].split()
            if numbers[-1] != "-1":
                last[:] = [int(numbers[-1])]
        results = real(tries, stop, due)
        if tries.what == "pidfd_send_signal" and results[-1] == -ESRCH and last:
            try:
                os.kill(last[0], signal.SIGTERM)
            except ProcessLookupError:
                pass
        return results

    boundary.replace(attempts, "repeat", broken)


@fault()
def sleeper_is_forgotten_at_times() -> None:
    """Every sleeper is woken."""

    def broken(real: Real, fds: dict[int, int], timeout_ms: int) -> Any:
        if timeout_ms > 0 and len(fds) == 1 and random.random() < 0.2:
            time.sleep(timeout_ms / 1000)
            return dict.fromkeys(fds, 0)
        return real(fds, timeout_ms)

    for module in (race_observers, race_autokill):
        boundary.replace(module, "Deadline", functools.partial(deadline.Deadline, _SHORTLY))
    boundary.wrap("poll", broken)
