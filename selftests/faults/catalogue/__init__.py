"""The faults, a module for each subject: each breaks one documented rule."""

from __future__ import annotations

import importlib
import pkgutil

from helpers import agent
from selftests.faults import answers, boundary
from selftests.faults.registry import FAULTS, Fault

SUBJECTS = sorted(module.name for module in pkgutil.iter_modules(__path__))

for _subject in SUBJECTS:
    importlib.import_module(f"{__name__}.{_subject}")

__all__ = ["FAULTS", "SUBJECTS", "Fault", "put"]


def put(name: str | None) -> None:
    """Break this process, and those that will be made from it, by a fault; None: mend it."""
    boundary.mend()
    if name is None:
        return
    FAULTS[name].install()
    if FAULTS[name].waits:
        answers.wait_shortly(FAULTS[name].waits)
    start = f"from selftests.faults import catalogue; catalogue.put({name!r}); "
    real = agent.interpreter

    def interpreter(entry: str, fd: int) -> list[str]:
        *command, code = real(entry, fd)
        return [*command, code.replace("from helpers.agent", f"{start}from helpers.agent")]

    boundary.replace(agent, "interpreter", interpreter)
