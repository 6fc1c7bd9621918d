"""What the zygote does to cgroups, so that none is left over when pytest is killed."""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

from helpers import agent
from helpers.deadline import Deadline, wait_until


class Removal(NamedTuple):
    """Removes the cgroup directory `path`: when asked, or when pytest hangs up."""

    path: str

    def __call__(self) -> None:
        """Kill what runs in the cgroup, and remove it when the kernel has let go of it."""
        try:
            with open(f"{self.path}/cgroup.kill", "w", encoding="ascii") as file:  # v5.14
                file.write("1")
        except FileNotFoundError:
            pass
        wait_until(
            self._is_gone, f"cgroup {self.path} to become empty", seconds=Deadline().length / 4
        )

    def _is_gone(self) -> bool:
        try:
            os.rmdir(self.path)
        except FileNotFoundError:
            return True
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            return False
        return True


def create(path: str) -> None:
    """Make a cgroup and answer for its removal."""
    agent.undo_at_hangup(Removal(path))
    try:
        os.mkdir(path)
    except OSError:
        agent.at_hangup.pop()
        raise


def remove(path: str) -> None:
    """Remove a cgroup that `create` made, unless it was removed before."""
    if Removal(path) in agent.at_hangup:
        agent.undo_now(Removal(path))
