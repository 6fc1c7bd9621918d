"""Runs mutants one by one, each in a machine of its own or some after each other in one."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mutants.catalogue import Mutant
from mutants.verdicts import Plan, Verdict, judge
from vmtest import results, root
from vmtest.guestrun import PYTEST, GuestRun, Job, Settings
from vmtest.images import Kernel
from vmtest.results import KernelResult

# A rule that is broken fails many tests, and each may wait as long as the deadline.
DEADLINE, PATIENT, TIMEOUT = 20, 90, 100
# What the C suite does that takes longer than this is forking, tens of thousands of times.
C_SECONDS = 60.0
FELL_OVER = 70  # what mutants.guest ends with where it cannot go on
_TICK = 0.1


def stages(
    mutant: Mutant, enough: int, *, everything: bool, deadline: int = DEADLINE
) -> list[list[str]]:
    """The arguments of pytest: what is about the mutant, then all the rest."""
    common = [
        *PYTEST, "-q", f"--deadline={deadline}", f"--timeout={TIMEOUT}", "-p", "no:xdist",
    ]  # fmt: skip
    if everything or not mutant.tests:
        return [[*common, "tests"]]
    first = [f"tests/{folder}" for folder in mutant.tests]
    left = [f"--ignore={folder}" for folder in first]
    few = [*common, f"--maxfail={enough}"]
    return [[*few, *first], [*few, *left, "tests"]]


def c_files(programs: Path) -> dict[str, Path]:
    """The C suite's files by their places in a machine, and a program that it executes."""
    files = {f"/c/{path.name}": path for path in programs.iterdir() if path.is_file()}
    return {**files, "/bin/sleep": Path("/bin/sleep")}


def step(
    plan: Plan, enough: int, sound: Verdict | None, *, everything: bool, quick: bool
) -> dict[str, Any]:
    """What a machine is to do about one mutant; tests that fail without it have no part in it."""
    deadline = PATIENT if plan.patient else DEADLINE
    found = stages(plan.mutant, enough, everything=everything, deadline=deadline)
    failing = [f"--deselect={name}" for name in (sound.failed if sound else ()) if "::" in name]
    found = [[*failing, *arguments] for arguments in found]
    return {
        "mutant": plan.mutant.name,
        "number": plan.number,
        "stages": [] if plan.only_c else found[:1] if quick else found,
        "programs": [[name, C_SECONDS] for name in plan.mutant.c] if plan.c else [],
    }


class Batch:
    """Mutants that share a machine, one after the other; `over` is called as each is done."""

    def __init__(self, plans: list[Plan], over: Callable[[Plan, KernelResult], None]) -> None:
        """Begin with the first."""
        self.left = list(plans)
        self.alone = len(plans) == 1
        self._over = over
        self._booted, self._begun = 0.0, time.monotonic()
        self._result = self._fresh()

    @staticmethod
    def _fresh() -> KernelResult:
        return KernelResult("", "", "", "")

    def listen(self, record: dict[str, Any]) -> None:
        """Take what the machine tells."""
        if "booted" in record:
            self._booted = record["uptime"]
        elif "mutant" in record:
            self._result, self._begun = self._fresh(), time.monotonic()
        elif "done" in record:
            self._result.code = record.get("code")
            self._finish(results.FINISHED, [])
        else:
            self._result.take(record)

    def _finish(self, end: str, tail: list[str]) -> None:
        self._result.end, self._result.tail = end, tail
        self._result.boot_seconds = self._booted
        self._result.seconds = round(time.monotonic() - self._begun, 1)
        self._result.close()
        self._over(self.left.pop(0), self._result)

    def died(self, whole: KernelResult) -> list[Plan]:
        """The machine is gone: what is to be run again.

        Who was running when it went is to blame if it was alone; else it gets a machine of its own.
        """
        if self.left and self.alone:
            # A machine that is done in the midst of a step ran into an error of its own.
            self._result.code = FELL_OVER if whole.end == results.FINISHED else None
            self._finish(whole.end, whole.tail)
        return self.left


class Campaign:
    """Runs plans, some side by side, and some after each other in one machine."""

    def __init__(
        self,
        kernel: Kernel,
        command: list[str],
        settings: Settings,
        programs: Path | None,
        enough: int,
    ) -> None:
        """Boot `kernel` by `command`; `programs` is where the C suite is.

        After `enough` failures no more of the tests that are about a mutant are run.
        """
        self.kernel = kernel
        self.command = command
        self.settings = settings
        self.programs = programs
        self.enough = enough
        self.sound: Verdict | None = None

    def key(self, *, suite: bool) -> str:
        """What tells one build of the kernel from another, and one state of the `suite`."""
        build = self.kernel.path.with_suffix(".stamp").read_text(encoding="ascii")
        return f"{build} {root.suite_key()}" if suite else build

    def of(self, kernel: Kernel) -> Campaign:
        """The same for another kernel."""
        words = [str(kernel.path) if w == str(self.kernel.path) else w for w in self.command]
        return Campaign(kernel, words, self.settings, self.programs, self.enough)

    def files(self) -> dict[str, Path]:
        """What machines need of the C suite."""
        return c_files(self.programs) if self.programs else {}

    @staticmethod
    def pause() -> None:
        """Between two looks at the machines."""
        time.sleep(_TICK)

    def boot(self, label: str, steps: list[dict[str, Any]], *, gcov: bool = False) -> GuestRun:
        """A machine that does these steps."""
        plan = json.dumps({"steps": steps, "gcov": gcov})
        job = Job("mutants.guest", files=self.files(), texts={"/plan.json": plan})
        return GuestRun(self.kernel._replace(label=label), self.command, self.settings, job)

    def run(
        self,
        plans: Iterable[Plan],
        jobs: int | None,
        ended: Callable[[Plan, Verdict, KernelResult], None],
        *,
        batch: int = 1,
        everything: bool = False,
        quick: bool = False,
    ) -> None:
        """Run all, `batch` to a machine, `jobs` machines at a time, or as many as fit.

        Every machine is ended, however this ends.
        """
        jobs = jobs or self.settings.side_by_side()

        def over(plan: Plan, result: KernelResult) -> None:
            ended(plan, judge(plan, result, self.sound), result)

        waiting = _batches(list(plans), batch)
        running: list[tuple[Batch, GuestRun]] = []
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    group = waiting.pop(0)
                    said = [
                        step(p, self.enough, self.sound, everything=everything, quick=quick)
                        for p in group
                    ]
                    guest = self.boot(re.sub(r"\W+", "-", group[0].mutant.name), said)
                    running.append((Batch(group, over), guest))
                    guest.listen = running[-1][0].listen
                for current, guest in list(running):
                    if not guest.step():
                        running.remove((current, guest))
                        guest.close()
                        left = current.died(guest.result)
                        # Whoever was running may have met what those before it left behind.
                        waiting = [left[:1], *_batches(left[1:], batch), *waiting]
                        waiting = [group for group in waiting if group]
                self.pause()
        finally:
            for _, guest in running:
                guest.close()


def _batches(plans: list[Plan], size: int) -> list[list[Plan]]:
    return [plans[at : at + size] for at in range(0, len(plans), size)]
