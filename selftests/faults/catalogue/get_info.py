"""Faults of ``PIDFD_GET_INFO``: what is told, of whom, and to whom."""

from __future__ import annotations

import errno

from helpers import cgroup, procfs
from helpers.uapi import InfoMask, PidfdInfoStruct
from selftests.faults import boundary
from selftests.faults.answers import is_get_info
from selftests.faults.boundary import Real
from selftests.faults.registry import breaks, edits_info, fault


@edits_info
def exit_information_before_the_reap(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """Exit information is given only after the reap."""
    answer.mask |= InfoMask.EXIT


@edits_info
def no_exit_information_after_the_reap(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """Exit information is there once the task was reaped."""
    answer.mask &= ~InfoMask.EXIT


@fault()
def exit_information_used_up_by_asking() -> None:
    """Exit information is told as often as it is asked for."""
    told = []

    def broken(real: Real, fd: int, request: int, argument: int | None = None) -> int:
        result = int(real(fd, request, argument))
        if is_get_info(request) and argument:
            answer = PidfdInfoStruct.from_address(argument)
            if InfoMask.EXIT in InfoMask(answer.mask):
                told.append(fd)
                if told.count(fd) > 1:
                    answer.mask &= ~InfoMask.EXIT
        return result

    boundary.wrap("ioctl", broken)


@edits_info
def exit_code_is_zero(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """The recorded exit code is the task's."""
    answer.exit_code = 0


@edits_info
def exit_code_without_core_bit(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """The recorded exit code tells of a core dump."""
    if answer.exit_code & 0x7F:
        answer.exit_code &= ~0x80


@edits_info
def core_bit_without_a_dump(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """The core-dump bit is set only where there is a dump."""
    if answer.exit_code & 0x7F:
        answer.exit_code |= 0x80


@edits_info
def exit_status_of_seven_bits(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """All eight bits of an exit status are recorded."""
    answer.exit_code &= 0x7FFF


@edits_info
def exit_status_where_the_signal_is(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """The exit code is a wait status: an exit and a death by a signal are told apart."""
    if not answer.exit_code & 0x7F:
        answer.exit_code >>= 8


@edits_info
def clean_exit_told_as_a_kill(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """A clean exit is told as an exit with status 0, however the kernel brought it about."""
    if answer.exit_code == 0:
        answer.exit_code = 9


@edits_info
def identity_after_the_reap(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """A reaped task has no identity and no credentials left."""
    if InfoMask.EXIT in InfoMask(answer.mask):
        answer.mask |= InfoMask.PID | InfoMask.CREDS


@breaks("ioctl")
def reaped_task_answers(real: Real, fd: int, request: int, argument: int | None = None) -> int:
    """PIDFD_GET_INFO that does not ask for exit information fails with ESRCH after the reap."""
    try:
        return int(real(fd, request, argument))
    except OSError as error:
        if error.errno == errno.ESRCH and is_get_info(request):
            return 0
        raise


@breaks("ioctl")
def foreign_caller_is_told(real: Real, fd: int, request: int, argument: int | None = None) -> int:
    """A caller whose pid namespace does not hold the task is told nothing of it."""
    try:
        return int(real(fd, request, argument))
    except OSError as error:
        if error.errno in (errno.ESRCH, errno.EREMOTE) and is_get_info(request):
            return 0
        raise


@edits_info
def no_cgroup(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """The cgroup is told, alive or reaped."""
    answer.mask &= ~InfoMask.CGROUPID


@edits_info
def wrong_cgroup(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """The cgroup is told by its id."""
    answer.cgroupid += 1


@edits_info
def cgroup_of_the_caller(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """The cgroup is the task's own."""
    answer.cgroupid = cgroup.id_of(cgroup.directory_of_own())


@edits_info
def no_cgroup_after_the_reap(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """The last cgroup of a task is told when the task is reaped."""
    if InfoMask.EXIT in InfoMask(answer.mask):
        answer.mask &= ~InfoMask.CGROUPID


@edits_info
def pid_of_another(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """The pid is the task's own, as the caller's pid namespace has it."""
    answer.pid += 1


@edits_info
def pid_of_the_process(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """A thread is told by its own id."""
    answer.pid = answer.tgid


@edits_info
def tgid_of_another(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """The tgid is that of the task's thread group."""
    answer.tgid += 1


@edits_info
def tgid_of_the_thread(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """The tgid of a subthread is its leader's id."""
    answer.tgid = answer.pid


@edits_info
def no_parent(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """The ppid is the parent's."""
    answer.ppid = 0


@edits_info
def task_without_a_parent_is_refused(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """A task whose parent has no number for the caller is told, with ppid 0."""
    if InfoMask.PID in InfoMask(answer.mask) and not answer.ppid:
        boundary.fail(errno.ESRCH)


@edits_info
def numbers_of_the_inner_namespace(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """Pids are told as the caller's pid namespace numbers them."""
    if answer.pid:
        answer.pid = int(procfs.status(answer.pid)["NSpid"].split()[-1])


@edits_info
def no_credentials(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """The credentials of a task are told until it is reaped."""
    answer.mask &= ~InfoMask.CREDS


@edits_info
def real_ids_only(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """Effective, saved and filesystem ids are told apart from the real ones."""
    answer.euid = answer.suid = answer.fsuid = answer.ruid
    answer.egid = answer.sgid = answer.fsgid = answer.rgid


@edits_info
def ids_of_the_leader(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """Credentials are the thread's own."""
    if InfoMask.PID in InfoMask(answer.mask):
        users, _ = procfs.ids(answer.tgid)
        answer.fsuid = users.filesystem


@edits_info
def ids_unmapped(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """Ids are told as the caller's user namespace maps them, or by the overflow ids."""
    answer.ruid = answer.euid = answer.suid = answer.fsuid = 0
    answer.rgid = answer.egid = answer.sgid = answer.fsgid = 0
