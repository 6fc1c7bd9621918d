"""The faults, by name: each breaks one documented rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from helpers.uapi import CoredumpMask, InfoMask, PidfdInfoStruct
from selftests.faults import boundary
from selftests.faults.boundary import HUP, IN, Real


class Fault(NamedTuple):
    """A way to break the kernel, and the rule that it breaks in words."""

    name: str
    rule: str
    install: Callable[[], None]


FAULTS: dict[str, Fault] = {}


def fault(install: Callable[[], None]) -> Callable[[], None]:
    """Enter a fault in the catalogue; its name is the function's, its rule the docstring's."""
    rule = (install.__doc__ or "").strip()
    FAULTS[install.__name__] = Fault(install.__name__, rule, install)
    return install


def put(name: str) -> None:
    """Break the boundary of this process, and of those that are made from it."""
    FAULTS[name].install()


def _edits_info(edit: boundary.Edit) -> Callable[[], None]:
    def install() -> None:
        boundary.edit_info(edit)

    install.__name__, install.__doc__ = edit.__name__, edit.__doc__
    return fault(install)


@_edits_info
def exit_information_before_the_reap(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """Exit information is given only after the reap."""
    if InfoMask.EXIT in asked:
        answer.mask |= InfoMask.EXIT


@_edits_info
def no_exit_information_after_the_reap(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """Exit information is there once the task was reaped."""
    answer.mask &= ~InfoMask.EXIT


@_edits_info
def exit_information_unasked(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """Exit information is given only to those who ask."""
    if InfoMask.PID in InfoMask(answer.mask) and InfoMask.EXIT not in asked:
        answer.mask |= InfoMask.EXIT


@_edits_info
def exit_code_is_zero(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """The recorded exit code is the task's."""
    answer.exit_code = 0


@_edits_info
def exit_code_without_core_bit(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """The recorded exit code tells of a core dump."""
    if answer.exit_code & 0x7F:
        answer.exit_code &= ~0x80


@_edits_info
def exit_status_of_seven_bits(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """All eight bits of an exit status are recorded."""
    answer.exit_code &= 0x7FFF


@_edits_info
def identity_after_the_reap(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """A reaped task has no identity and no credentials left."""
    if InfoMask.EXIT in InfoMask(answer.mask):
        answer.mask |= InfoMask.PID | InfoMask.CREDS


@_edits_info
def no_cgroup(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """The cgroup is told, alive or reaped."""
    answer.mask &= ~InfoMask.CGROUPID


@_edits_info
def wrong_cgroup(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """The cgroup is the task's own."""
    answer.cgroupid += 1


@_edits_info
def pid_of_another(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """The pid is the task's own, as the caller's pid namespace has it."""
    answer.pid += 1


@_edits_info
def tgid_of_another(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """The tgid is that of the task's thread group."""
    answer.tgid += 1


@_edits_info
def no_parent(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """The ppid is the parent's."""
    answer.ppid = 0


@_edits_info
def real_ids_only(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """Effective, saved and filesystem ids are told apart from the real ones."""
    answer.euid = answer.suid = answer.fsuid = answer.ruid
    answer.egid = answer.sgid = answer.fsgid = answer.rgid


@_edits_info
def coredump_unasked(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """Core dump information is given only to those who ask."""
    answer.mask |= InfoMask.COREDUMP
    answer.coredump_mask = CoredumpMask.COREDUMPED


@fault
def reaped_task_is_there() -> None:
    """PIDFD_GET_INFO that does not ask for exit information fails with ESRCH after the reap."""

    def broken(real: Real, fd: int, request: int, argument: int | None = None) -> int:
        try:
            return int(real(fd, request, argument))
        except OSError as error:
            if error.errno == boundary.ESRCH and boundary.is_get_info(request):
                return 0
            raise

    boundary.wrap("ioctl", broken)


@fault
def premature_notification() -> None:
    """A leader that exits before its subthreads is not notified of."""
    boundary.edit_events(lambda fd, events: events | (IN if boundary.state(fd) == "Z" else 0))


@fault
def notification_of_the_living() -> None:
    """A living task is not notified of."""
    boundary.edit_events(lambda fd, events: events | IN)


@fault
def lost_notification() -> None:
    """The end of a task is notified of."""
    boundary.edit_events(lambda fd, events: 0)


@fault
def hangup_before_the_reap() -> None:
    """EPOLLHUP comes with the reap, not before."""
    boundary.edit_events(lambda fd, events: events | (HUP if events & IN else 0))


@fault
def no_hangup() -> None:
    """EPOLLHUP comes once the task was reaped."""
    boundary.edit_events(lambda fd, events: events & ~HUP)


@fault
def no_input_after_the_reap() -> None:
    """EPOLLIN stays after the reap."""
    boundary.edit_events(lambda fd, events: events & ~IN if events & HUP else events)
