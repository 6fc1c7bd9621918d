"""Faults in how ``PIDFD_GET_INFO`` is asked: its number, its structures, its masks."""

from __future__ import annotations

import ctypes
import errno

from helpers import procfs, raw_info
from helpers.uapi import (
    PIDFD_INFO_SIZE_VER0,
    PIDFD_INFO_SIZE_VER3,
    CoredumpMask,
    InfoMask,
    PidfdInfoStruct,
    pidfd_get_info,
)
from selftests.faults import boundary
from selftests.faults.answers import is_get_info
from selftests.faults.boundary import Real
from selftests.faults.pidfds import target
from selftests.faults.registry import breaks, edits_info, fault


def _size(request: int) -> int:
    return request >> 16 & 0x1FFF


@breaks("ioctl")
def unknown_requests_answered(real: Real, fd: int, request: int, argument: int = 0) -> int:
    """A pidfd knows no request but its own."""
    try:
        return int(real(fd, request, argument))
    except OSError:
        if not target(fd):
            raise
        return int(real(fd, pidfd_get_info(), argument))


@breaks("ioctl")
def other_descriptors_answer(real: Real, fd: int, request: int, argument: int = 0) -> int:
    """PIDFD_GET_INFO is a request for pidfds."""
    return 0 if is_get_info(request) and not target(fd) else int(real(fd, request, argument))


@breaks("ioctl")
def structure_overrun(real: Real, fd: int, request: int, argument: int = 0) -> int:
    """Nothing is written past the end of the caller's structure."""
    result = int(real(fd, request, argument))
    if is_get_info(request) and _size(request) < PIDFD_INFO_SIZE_VER3:
        ctypes.memset(argument + _size(request), 0, 8)
    return result


@breaks("ioctl")
def structure_cut_short(real: Real, fd: int, request: int, argument: int = 0) -> int:
    """A structure of an older version is filled up to its end."""
    result = int(real(fd, request, argument))
    if is_get_info(request) and _size(request) < PIDFD_INFO_SIZE_VER3:
        ctypes.memset(argument + _size(request) - 4, 0xAA, 4)
    return result


@breaks("ioctl")
def tail_of_the_structure_left(real: Real, fd: int, request: int, argument: int = 0) -> int:
    """What a larger structure holds beyond the known is zeroed."""
    result = int(real(fd, request, argument))
    beyond = _size(request) - PIDFD_INFO_SIZE_VER3
    if is_get_info(request) and beyond > 0:
        ctypes.memset(argument + PIDFD_INFO_SIZE_VER3, 0xAA, beyond)
    return result


@breaks("ioctl")
def too_small_structure_taken(real: Real, fd: int, request: int, argument: int = 0) -> int:
    """A structure shorter than the first version is refused."""
    if is_get_info(request) and _size(request) < PIDFD_INFO_SIZE_VER0:
        return 0
    return int(real(fd, request, argument))


@breaks("ioctl")
def no_structure_taken(real: Real, fd: int, request: int, argument: int = 0) -> int:
    """A null pointer is refused."""
    return 0 if is_get_info(request) and not argument else int(real(fd, request, argument))


@fault()
def structure_out_of_reach_taken() -> None:
    """A structure that cannot be read and written as a whole gives EFAULT."""
    boundary.accept("ioctl", errno.EFAULT)


@edits_info
def unknown_bits_answered(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """Bits without a meaning are not answered."""
    answer.mask |= asked & ~sum(InfoMask)


def _edit_supported(answer: PidfdInfoStruct, change: int) -> None:
    place = ctypes.addressof(answer) + raw_info.supported_offset()
    ctypes.c_uint64.from_address(place).value &= change


@edits_info
def supported_mask_without_a_bit(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """The mask of what is supported names every bit that is answered."""
    if InfoMask.SUPPORTED_MASK in asked:
        known = InfoMask.SUPPORTED_MASK | InfoMask.COREDUMP_SIGNAL
        _edit_supported(answer, known)


@edits_info
def supported_mask_told_unasked(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """The mask of what is supported is told only to who asks."""
    answer.mask |= InfoMask.SUPPORTED_MASK


@edits_info
def supported_mask_hides_the_rest(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """Asking for what is supported changes nothing else in the answer."""
    if InfoMask.SUPPORTED_MASK in asked:
        answer.pid = 0


@edits_info
def dumpability_turned(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """A process is told with its own dumpability."""
    if answer.coredump_mask & (CoredumpMask.USER | CoredumpMask.SKIP):
        answer.coredump_mask ^= CoredumpMask.USER | CoredumpMask.SKIP


@edits_info
def dumpability_forgets_a_change_of_ids(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """After a change of ids fs.suid_dumpable decides over the dumpability."""
    if answer.ruid:
        answer.coredump_mask ^= CoredumpMask.USER | CoredumpMask.SKIP


@edits_info
def core_dump_told_of_every_end(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """Core dump information of a reaped task is there only where it dumped core."""
    if InfoMask.EXIT in InfoMask(answer.mask):
        answer.mask |= InfoMask.COREDUMP


@edits_info
def no_dumpability_of_zombies(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """The dumpability outlives the memory of the process."""
    if answer.pid and procfs.task_state(answer.pid) == "Z":
        answer.mask &= ~InfoMask.COREDUMP


@edits_info
def core_dump_not_told(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """A process that dumps core is told as such."""
    answer.coredump_mask &= ~CoredumpMask.COREDUMPED


@edits_info
def core_dump_forgotten_at_the_reap(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """A core dump is told of after the reap as well."""
    if InfoMask.EXIT in InfoMask(answer.mask):
        answer.mask &= ~InfoMask.COREDUMP


@edits_info
def no_signal_of_the_dump(answer: PidfdInfoStruct, asked: InfoMask) -> None:
    """A kernel that claims to tell the signal of a dump and its code tells them."""
    answer.mask &= ~(InfoMask.COREDUMP_SIGNAL | InfoMask.COREDUMP_CODE)
