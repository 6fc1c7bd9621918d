"""Faults of ``waitid(P_PIDFD)``."""

from __future__ import annotations

import os
from typing import Any

from helpers.uapi import P_PID, WALL, WCLONE, WNOTHREAD
from selftests.faults import boundary, pidfds
from selftests.faults.boundary import EAGAIN, EBADF, ECHILD, EINVAL, Real
from selftests.faults.registry import breaks, fault

_STATES = os.WEXITED | os.WSTOPPED | os.WCONTINUED


def _edit(change: Any) -> None:
    """Change what is told; `change` is given the five fields."""

    def broken(real: Real, kind: int, which: int, options: int) -> Any:
        found = real(kind, which, options)
        if found is None:
            return None
        fields = list(found)
        change(fields)
        return os.waitid_result(fields)

    boundary.wrap("waitid", broken)


@fault()
def wait_tells_another_user() -> None:
    """The user of the child is told."""

    def change(fields: list[int]) -> None:
        fields[1] += 1

    _edit(change)


@fault()
def wait_tells_a_wait_status() -> None:
    """The status of an exit is told as it is, and not as a wait status."""

    def change(fields: list[int]) -> None:
        fields[3] <<= 8

    _edit(change)


@fault()
def wait_tells_a_death_as_an_exit() -> None:
    """A death by a signal is told as such."""

    def change(fields: list[int]) -> None:
        fields[4] = os.CLD_EXITED

    _edit(change)


@fault()
def wait_tells_another_child() -> None:
    """The pid of the child is told."""

    def change(fields: list[int]) -> None:
        fields[0] += 1

    _edit(change)


def _other_options(change: Any) -> None:
    boundary.wrap("waitid", lambda real, kind, which, options: real(kind, which, change(options)))


@fault()
def wait_leaves_the_state() -> None:
    """A state is told once, and an end is reaped, unless WNOWAIT is given."""
    _other_options(lambda options: options | os.WNOWAIT)


@fault()
def look_takes_the_state() -> None:
    """WNOWAIT leaves the state as it is."""
    _other_options(lambda options: options & ~os.WNOWAIT)


@fault()
def every_state_is_told() -> None:
    """Only the states asked for are told."""
    _other_options(lambda options: options | os.WSTOPPED)


@breaks("waitid")
def running_child_is_told(real: Real, kind: int, which: int, options: int) -> Any:
    """A child that runs has nothing to tell."""
    found = real(kind, which, options)
    if found is None and options & os.WNOHANG:
        return os.waitid_result((pidfds.target(which), 0, 17, 0, os.CLD_EXITED))
    return found


@breaks("waitid")
def wait_never_sleeps(real: Real, kind: int, which: int, options: int) -> Any:
    """A wait sleeps until its child has a state to tell."""
    found = real(kind, which, options | os.WNOHANG)
    return boundary.fail(EAGAIN) if found is None and not options & os.WNOHANG else found


@breaks("os.waitid")
def wait_by_number_never_sleeps(real: Real, kind: int, which: int, options: int) -> Any:
    """A wait by number sleeps, whatever the pidfds of the child are like."""
    if kind != P_PID or options & os.WNOHANG:
        return real(kind, which, options)
    return real(kind, which, options | os.WNOHANG) or boundary.fail(EAGAIN)


@breaks("waitid")
def thread_pidfd_has_no_child(real: Real, kind: int, which: int, options: int) -> Any:
    """The leader's pidfd of thread scope stands for the process."""
    return boundary.fail(ECHILD) if pidfds.is_of_thread(which) else real(kind, which, options)


@fault()
def children_are_of_one_thread() -> None:
    """Children are waited for by every thread of the process."""
    _other_options(lambda options: options | WNOTHREAD)


@fault()
def own_children_are_everybodys() -> None:
    """__WNOTHREAD asks for the thread's own children."""
    _other_options(lambda options: options & ~WNOTHREAD)


@fault()
def wait_sees_children_of_every_kind() -> None:
    """A plain wait sees children that send SIGCHLD, __WCLONE the others."""
    _other_options(lambda options: options & ~WCLONE | WALL)


@fault()
def wait_sees_plain_children_only() -> None:
    """__WALL sees children of every exit signal, __WCLONE those that send no SIGCHLD."""

    def broken(real: Real, kind: int, which: int, options: int) -> Any:
        if options & (WALL | WCLONE):
            boundary.fail(ECHILD)
        return real(kind, which, options)

    boundary.wrap("waitid", broken)


@fault()
def nobodys_child_has_nothing_to_tell() -> None:
    """Who is no child, or no longer, is ECHILD."""
    boundary.accept("waitid", ECHILD)


@fault()
def nonblocking_wait_tells_nothing() -> None:
    """By a nonblocking pidfd a wait that would sleep is EAGAIN."""
    boundary.accept("waitid", EAGAIN)


@breaks("waitid")
def nonblocking_wait_fails_in_spite_of_wnohang(
    real: Real, kind: int, which: int, options: int
) -> Any:
    """WNOHANG gives nothing, by a nonblocking pidfd too."""
    found = real(kind, which, options)
    return boundary.fail(EAGAIN) if found is None and pidfds.nonblocking(which) else found


@breaks("waitid")
def nonblocking_wait_never_reaps(real: Real, kind: int, which: int, options: int) -> Any:
    """By a nonblocking pidfd an ended child is told and reaped."""
    return boundary.fail(EAGAIN) if pidfds.nonblocking(which) else real(kind, which, options)


@fault()
def wait_by_any_descriptor() -> None:
    """What is no pidfd is refused."""
    boundary.accept("waitid", EBADF)


@fault()
def wait_by_a_negative_number_is_a_bad_descriptor() -> None:
    """A negative number is invalid, not a bad descriptor."""
    boundary.swap_errno("waitid", EINVAL, EBADF)


@breaks("waitid")
def options_of_a_wait_unchecked(real: Real, kind: int, which: int, options: int) -> Any:
    """A wait asks for a state, and for nothing unknown."""
    known = _STATES | os.WNOHANG | os.WNOWAIT | WALL | WCLONE | WNOTHREAD
    return real(kind, which, options & known | os.WEXITED | os.WNOHANG)
