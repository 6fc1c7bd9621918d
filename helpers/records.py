"""Whole answers of ``PIDFD_GET_INFO`` as they ought to be, from what /proc and waitid say."""

from __future__ import annotations

import os
from functools import cache

from helpers import procfs
from helpers.info import Outcome, PidfdInfo
from helpers.pidfd import Pidfd
from helpers.thread import Thread
from helpers.uapi import InfoMask


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
    users, groups = procfs.ids(thread.group.pid, thread.tid)
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
