"""A program that gives who executes it the rights of its owner, and a process that executes it."""

from __future__ import annotations

import os
import tempfile
from typing import NamedTuple

from helpers import image, process, rights
from helpers.descriptor import Descriptor, open_file
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup


def program() -> Descriptor:
    """A set-user-ID program of ours, of no name, that echoes its input as `Thread.exec` wants."""
    with tempfile.TemporaryFile(prefix="pidfd-setuid-") as file:
        file.write(_echo())
        file.flush()
        os.fchmod(file.fileno(), 0o4755)
        return open_file(f"/proc/self/fd/{file.fileno()}")


def _echo() -> bytes:
    made = image.make_echo()
    if isinstance(made, str):
        with open(made, "rb") as file:
            return file.read()
    with made:
        return os.pread(made.fileno(), 1 << 20, 0)


class Scene(NamedTuple):
    """An ordinary user's process that asks, and its child, which can become root's."""

    caller: ThreadGroup
    target: ThreadGroup
    pidfd: Pidfd

    def run(self) -> None:
        """Let the target execute the program."""
        with program() as made:
            self.target.leader.exec(made)


def scene() -> Scene:
    """Caller and target are alike, and nothing keeps the one from the other."""
    caller = process.spawn(role="caller")
    caller.leader.call(rights.become, rights.OTHER_USER)
    target = caller.leader.fork(role="target")
    target.leader.call(rights.set_dumpable, 1)  # which the change of ids had taken away
    return Scene(caller, target, target.pidfd())
