"""Races about a process that becomes privileged by an exec."""

from __future__ import annotations

import functools
import os

from helpers import rights, syscalls
from helpers.descriptor import Descriptor
from helpers.reaping import reap
from helpers.scenes import Rounds, Stage, Victim, fork

_READY = b"!"


def become_root_by_exec(stage: Stage, program: Descriptor) -> Rounds:
    """A process without privileges executes `program`, which is set to the user root.

    Observers are through with a round after the new program has answered.
    """
    while True:
        read, write = os.pipe2(os.O_CLOEXEC)
        out, told = os.pipe2(os.O_CLOEXEC)
        pid = fork(functools.partial(_execute, program, read, told))
        os.close(told)
        if os.read(out, 1) != _READY:
            raise RuntimeError(f"a process ended before it could execute: {reap(pid)}")
        fd = syscalls.pidfd_open(pid)
        yield Victim(pid, fd)
        stage.jitter()
        os.write(write, b"g")
        os.write(write, b"?")
        if os.read(out, 1) != b"?":
            raise RuntimeError(f"{program} does not run: {reap(pid)}")
        try:
            yield 1
        finally:
            for number in (read, write, out, fd):
                os.close(number)
            reap(pid)  # the driver may not kill what is root's: its input has ended


def _execute(program: Descriptor, read: int, told: int) -> None:
    """Execute `program` when told to by a byte; it reads on."""
    os.dup2(read, 0)
    os.dup2(told, 1)
    rights.admit_siblings()
    os.write(1, _READY)
    os.read(0, 1)
    os.execve(program.fileno(), ["echo"], {})
