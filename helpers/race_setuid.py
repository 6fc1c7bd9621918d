"""Races about a process that becomes privileged by an exec."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers import agent, syscalls, syscalls_clone
from helpers.image import make_echo
from helpers.reaping import reap
from helpers.scenes import Rounds, Stage, Victim
from helpers.uapi import CloneFlag


@contextmanager
def setuid_program() -> Iterator[str]:
    """The path of a program that runs as root whoever starts it, and echoes its input."""
    directory = Path(tempfile.mkdtemp(prefix="pidfd-setuid-"))
    try:
        directory.chmod(0o755)
        program = directory / "echo"
        image = make_echo()
        if isinstance(image, str):
            shutil.copyfile(image, program)
        else:
            with image:
                program.write_bytes(os.pread(image.fileno(), 1 << 16, 0))
        program.chmod(0o4755)
        yield str(program)
    finally:
        shutil.rmtree(directory)


def become_root_by_exec(stage: Stage, path: str) -> Rounds:
    """A process without privileges executes a program that is set to the user root.

    Observers are through with a round after the new program has answered.
    """
    while True:
        read, write = os.pipe2(os.O_CLOEXEC)
        out, told = os.pipe2(os.O_CLOEXEC)
        pid = start(path, read, told)
        fd = syscalls.pidfd_open(pid)
        yield Victim(pid, fd)
        stage.jitter()
        os.write(write, b"g")
        os.write(write, b"?")
        os.close(told)
        if os.read(out, 1) != b"?":
            raise RuntimeError(f"{path} does not run: {reap(pid)}")
        yield 1
        for number in (read, write, out, fd):
            os.close(number)
        reap(pid)  # the driver may not kill what is root's: its input has ended


def start(path: str, read: int, told: int) -> int:
    """A process that executes `path` when it is told to by a byte, and there reads on."""
    pid = syscalls_clone.fork_with(CloneFlag.NONE, signal.SIGCHLD)
    if pid:
        return pid
    try:
        agent.die_with_parent()
        os.dup2(read, 0)
        os.dup2(told, 1)
        os.read(0, 1)
        os.execve(path, ["echo"], {})
    except BaseException:  # noqa: BLE001  # no child may return into its maker's code
        traceback.print_exc(file=sys.stderr)
    os._exit(agent.BUG)
