"""Features of ``PIDFD_GET_INFO`` by its mask; see `helpers.features`."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from helpers import process, raw_info, targets
from helpers.features import GET_INFO, Absent, Feature, Present, Verdict, errno_of, judge, verdict
from helpers.kernel import Version
from helpers.namespaces import MNT
from helpers.pidfd import Pidfd
from helpers.targets import NotAPidfd
from helpers.uapi import (
    GET_INFO_NUMBER,
    PIDFD_INFO_SIZE_VER3,
    PIDFS_IOCTL_MAGIC,
    InfoMask,
    ioctl_none,
    ioctl_read,
    ioctl_read_write,
)

OTHER_MAGIC = ioctl_read_write(0xB7, GET_INFO_NUMBER, PIDFD_INFO_SIZE_VER3)
NEXT_NUMBER = ioctl_read_write(PIDFS_IOCTL_MAGIC, GET_INFO_NUMBER + 1, PIDFD_INFO_SIZE_VER3)
HIGHEST_NUMBER = ioctl_read_write(PIDFS_IOCTL_MAGIC, 255, PIDFD_INFO_SIZE_VER3)
NUMBER_0 = ioctl_none(PIDFS_IOCTL_MAGIC, 0)
NAMESPACE_WITH_SIZE = ioctl_read_write(PIDFS_IOCTL_MAGIC, MNT.number, PIDFD_INFO_SIZE_VER3)
READ_ONLY = ioctl_read(PIDFS_IOCTL_MAGIC, GET_INFO_NUMBER, PIDFD_INFO_SIZE_VER3)


class Unasked(Present):
    """As if it were there: what it is about is not, and tests are skipped for the lack of that."""


def about(subject: Feature, probe: Callable[[], Verdict]) -> Callable[[], Verdict]:
    """A probe whose "present" tells nothing where `subject` is not there."""

    def ask() -> Verdict:
        found = probe()
        is_empty = isinstance(found, Present) and not isinstance(verdict(subject), Present)
        return Unasked() if is_empty else found

    return ask


def _with_get_info(probe: Callable[[], Verdict]) -> Callable[[], Verdict]:
    """Let a kernel without ``PIDFD_GET_INFO`` lack what is told by it."""

    def judged() -> Verdict:
        try:
            return probe()
        except OSError as error:
            return judge(error.errno or 0, "PIDFD_GET_INFO", (errno.ENOTTY, errno.EINVAL))

    return judged


def _mask_probe(bit: InfoMask) -> Callable[[], Verdict]:
    return _with_get_info(lambda: _probe_mask(bit))


def _probe_mask(bit: InfoMask) -> Verdict:
    with Pidfd.open(os.getpid()) as pidfd:
        answer = raw_info.ask(pidfd, bit).mask
    return Present() if bit in answer else Absent(f"PIDFD_GET_INFO({bit}) answers {answer}")


def _probe_supported(bit: InfoMask) -> Verdict:
    # Only of a process that dumped core it is answered.
    with Pidfd.open(os.getpid()) as pidfd:
        supported = raw_info.supported(pidfd)
    return Present() if bit in supported else Absent(f"the kernel claims {supported} alone")


def _probe_command(command: int, what: str) -> Verdict:
    with Pidfd.open(os.getpid()) as pidfd:
        error = errno_of(lambda: raw_info.ask(pidfd, command=command))
    return Present() if error else Absent(f"PIDFD_GET_INFO is answered under {what}")


def _probe_namespace() -> Verdict:
    # Before the check this was NS_MNT_GET_NEXT, which opens a descriptor. In a child it ends soon.
    child = process.spawn(role="probe")
    with targets.make(NotAPidfd.NAMESPACE) as descriptor:
        error = errno_of(lambda: child.leader.call(raw_info.ask, descriptor))
    if error:
        return Present()
    return Absent("a mount namespace takes PIDFD_GET_INFO for NS_MNT_GET_NEXT")


def _probe_reaped() -> Verdict:
    child = process.spawn(role="probe")
    with child.pidfd() as pidfd:
        child.kill()
        child.reap()
        answer = pidfd.info(InfoMask.EXIT | InfoMask.COREDUMP)
    if InfoMask.COREDUMP in answer.mask:
        return Absent(f"of a process that dumped no core is told {answer!r}")
    return Present()


def _probe_zombie() -> Verdict:
    child = process.spawn(role="probe")
    with child.pidfd() as pidfd:
        child.leader.exit_group()
        answer = pidfd.info(InfoMask.COREDUMP)
    return Present() if answer.coredump else Absent(f"of a zombie is told {answer!r}")


CGROUPID = Feature(
    "PIDFD_INFO_CGROUPID", Version(6, 13), _mask_probe(InfoMask.CGROUPID), ("CGROUPS",)
)
COREDUMP = Feature("PIDFD_INFO_COREDUMP", Version(6, 16), _mask_probe(InfoMask.COREDUMP))
COREDUMP_SIGNAL = Feature(
    "PIDFD_INFO_COREDUMP_SIGNAL",
    Version(6, 19),
    _with_get_info(lambda: _probe_supported(InfoMask.COREDUMP_SIGNAL)),
)
COREDUMP_CODE = Feature(
    "PIDFD_INFO_COREDUMP_CODE",
    Version(7, 1),
    _with_get_info(lambda: _probe_supported(InfoMask.COREDUMP_CODE)),
)
SUPPORTED_MASK = Feature(
    "PIDFD_INFO_SUPPORTED_MASK",
    Version(6, 19),
    _mask_probe(InfoMask.SUPPORTED_MASK),
)
MAGIC_CHECKED = Feature(
    "the check of the magic number of PIDFD_GET_INFO",
    Version(6, 14),
    about(GET_INFO, lambda: _probe_command(OTHER_MAGIC, "another magic number")),
    rule=True,
)
DIRECTION_CHECKED = Feature(
    "the check of the direction of PIDFD_GET_INFO",
    Version(6, 18),
    about(GET_INFO, lambda: _probe_command(READ_ONLY, "another direction")),
    rule=True,
)
NAMESPACES_CHECK = Feature(
    "the check of the magic number by descriptors of namespaces",
    Version(6, 18),
    about(GET_INFO, _probe_namespace),
    rule=True,
)
COREDUMP_OF_DUMPS = Feature(
    "PIDFD_INFO_COREDUMP of reaped processes only where they dumped core",
    Version(6, 19),
    _with_get_info(_probe_reaped),
    rule=True,
)
COREDUMP_OF_ZOMBIES = Feature(
    "PIDFD_INFO_COREDUMP of zombies", Version(7, 2), _with_get_info(_probe_zombie), rule=True
)
