"""Whole answers of ``PIDFD_GET_INFO`` as they ought to be, from what /proc and waitid say."""

from __future__ import annotations

import os
from functools import cache

from helpers import procfs
from helpers.info import Outcome, PidfdInfo
from helpers.pidfd import Pidfd
from helpers.thread import Thread
from helpers.uapi import CoredumpMask, InfoMask


@cache
def _own_cgroupid() -> int | None:
    """The cgroup that we and our children are in; None without CONFIG_CGROUPS."""
    with Pidfd.open(os.getpid(), role="pytest's") as own:
        return own.info().cgroupid


def _complete(record: PidfdInfo, cgroupid: int | None) -> PidfdInfo:
    told = _own_cgroupid() if cgroupid is None else cgroupid
    mask = record.mask if told is None else record.mask | InfoMask.CGROUPID
    return record._replace(mask=mask, cgroupid=told)


def of_task(thread: Thread, cgroupid: int | None = None) -> PidfdInfo:
    """What is told of a task that is not reaped, alive or a zombie, as /proc has it.

    `cgroupid` is given for a child that was moved to another cgroup than ours.
    """
    fields = procfs.status(thread.group.pid, thread.tid)
    users, groups = procfs.ids_in(fields)
    record = PidfdInfo(
        mask=InfoMask.PID | InfoMask.CREDS,
        pid=int(fields["Pid"]),
        tgid=int(fields["Tgid"]),
        ppid=int(fields["PPid"]),
        uids=users,
        gids=groups,
    )
    return _complete(record, cgroupid)


def of_reaped(outcome: Outcome, cgroupid: int | None = None) -> PidfdInfo:
    """What is told of a task that is reaped: how it ended, its cgroup, and nothing else."""
    return _complete(PidfdInfo(mask=InfoMask.EXIT, exit=outcome), cgroupid)


def with_dump(record: PidfdInfo, number: int, code: int, supported: InfoMask) -> PidfdInfo:
    """`record` of a dumpable process that dumped core by a signal, with its si_code.

    `supported` is what the kernel can tell: a signal since v6.19, a code since v7.1.
    """
    of_signal, of_code = InfoMask.COREDUMP_SIGNAL & supported, InfoMask.COREDUMP_CODE & supported
    return record._replace(
        mask=record.mask | InfoMask.COREDUMP | of_signal | of_code,
        coredump=CoredumpMask.COREDUMPED | CoredumpMask.USER,
        coredump_signal=number if of_signal else None,
        coredump_code=code if of_code else None,
    )
