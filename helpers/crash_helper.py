"""Core dumps that the kernel hands to a program which it starts: ``kernel.core_pattern=|PROGRAM``.

The pattern is that of the whole machine, so it is changed only where the user says that the
machine is there for tests (``--own-machine``), and put back by the zygote if pytest is killed.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from helpers import agent, process

CORE_PATTERN = "/proc/sys/kernel/core_pattern"

# Pass the pidfd on, and take the dump once whoever got it has hung up. The kernel starts this
# in the first namespaces, where no directory but one of the root file system is sure to be seen.
_PROGRAM = """\
#!{python} -ISB
import os, socket, sys
link = socket.socket(socket.AF_UNIX)
link.connect(bytes.fromhex("{address}"))
socket.send_fds(link, [b"."], [int(sys.argv[1])])
link.recv(1)
while os.read(0, 1 << 16):
    pass
"""
_PLACE = "/var/tmp"

_own_machine = False


def set_own_machine(own: bool) -> None:
    """Say whether the machine is there for tests alone."""
    global _own_machine
    _own_machine = own


def obstacle() -> str | None:
    """Why no program of ours can be handed a dump; None where it can be done."""
    if not _own_machine:
        return "kernel.core_pattern would be changed; in a machine for tests give --own-machine"
    if not os.access(CORE_PATTERN, os.W_OK):
        return f"{CORE_PATTERN} may not be written"
    if os.statvfs(_PLACE).f_flag & os.ST_NOEXEC:
        return f"{_PLACE}, where the program would be, is mounted noexec"
    if len(sys.executable.split()) != 1:  # the first line of a program cuts it there
        return f"the path of the interpreter has a blank: {sys.executable!r}"
    return None


@contextmanager
def installed(address: bytes) -> Iterator[None]:
    """Let a program take all dumps that connects to `address` and sends the pidfd it was given."""
    home = tempfile.mkdtemp(prefix="pidfd-", dir=_PLACE)
    with open(CORE_PATTERN, "rb") as file:
        before = _Before(file.read(), home)
    process.zygote().call(agent.undo_at_hangup, before)
    try:
        path = os.path.join(home, "helper")
        with open(path, "w", encoding="ascii") as file:
            file.write(_PROGRAM.format(python=sys.executable, address=address.hex()))
        os.chmod(path, 0o755)
        _write(f"|{path} %F".encode())
        yield
    finally:
        process.zygote().call(agent.undo_now, before)


class _Before(NamedTuple):
    """How things stood; called, it puts them back."""

    pattern: bytes
    home: str

    def __call__(self) -> None:
        _write(self.pattern)
        shutil.rmtree(self.home, ignore_errors=True)


def _write(pattern: bytes) -> None:
    with open(CORE_PATTERN, "wb") as file:
        file.write(pattern)
