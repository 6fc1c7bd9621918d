"""Children that trace others by ptrace(2); what a tracer holds goes on when the tracer ends."""

from __future__ import annotations

import os
import signal

from helpers import journal, syscalls_access
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.thread import Thread
from helpers.uapi_rights import (
    PTRACE_CONT,
    PTRACE_EVENT_EXIT,
    PTRACE_INTERRUPT,
    PTRACE_SEIZE,
    TraceOption,
)

Stop = tuple[int, int, int]
"""Of a tracee: its thread id, the si_code and the si_status by which ``waitid`` tells its stop."""


def status_of(event: int) -> int:
    """The si_status of a stop by a ptrace event."""
    return signal.SIGTRAP | event << 8


def seize(tracer: Thread, tracee: Thread, options: TraceOption = TraceOption.NONE) -> None:
    """Let `tracer` trace a task, which goes on; one below it, since Yama may forbid others."""
    tracer.call(syscalls_access.ptrace, PTRACE_SEIZE, tracee.tid, options)
    journal.record(tracer, f"traces {tracee!r}")


def interrupt(tracer: Thread, tracee: Thread) -> None:
    """Let the tracee stop, sooner or later."""
    tracer.call(syscalls_access.ptrace, PTRACE_INTERRUPT, tracee.tid)


def resume(tracer: Thread, tracee: Thread) -> None:
    """Let a tracee go on that has stopped."""
    tracer.call(syscalls_access.ptrace, PTRACE_CONT, tracee.tid)


def await_stop(tracer: Thread, pidfd: Pidfd) -> Stop:
    """Let the tracer wait until the tracee behind `pidfd` has stopped."""
    found = tracer.call(Pidfd.waitid, pidfd, os.WSTOPPED)
    assert found is not None
    journal.record(tracer, f"is told a stop: {found}")
    return found.si_pid, found.si_code, found.si_status


def kill_and_hold(tracer: Thread, target: ThreadGroup, pidfd: Pidfd) -> None:
    """Kill `target`, and let it stand on its way to its end, where it has all its memory yet.

    A second SIGKILL does not move it: it must be resumed, or lose its tracer.
    """
    seize(tracer, target.leader, TraceOption.EXIT)
    target.kill()
    told = await_stop(tracer, pidfd)
    due = (target.pid, os.CLD_TRAPPED, status_of(PTRACE_EVENT_EXIT))
    assert told == due, f"the stop is told as {told}, {due} was due"
