"""What one kernel gave: its end, its tests, what it reported; kept as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vmtest import cache
from vmtest.errors import UserError

PASSED, SKIPPED, KNOWN, FAILED = "passed", "skipped", "known", "failed"
OUTCOMES = (PASSED, SKIPPED, KNOWN, FAILED)

# How a run ended. All but the first two are the kernel's own doing.
FINISHED = "finished"
LOST = "lost its machine"  # qemu failed, or was killed
NO_BOOT = "did not boot"
PANIC = "panicked"
OUT_OF_MEMORY = "ran out of memory"
HUNG = "hung"
DIED = "died"


@dataclass
class Case:
    """One test on one kernel."""

    name: str
    outcome: str
    why: str = ""
    seconds: float = 0.0
    text: str = ""


@dataclass
class Feature:
    """What a probe of the suite found: ``present``, ``absent`` or ``forbidden``."""

    name: str
    since: str
    found: str


@dataclass
class Report:
    """Something the kernel said on its console, and the test that ran when it did."""

    test: str
    lines: list[str]


@dataclass
class KernelResult:
    """Everything about one kernel."""

    label: str
    origin: str
    release: str
    accelerator: str
    user: str = "root"
    end: str = ""
    code: int | None = None
    boots: int = 1
    boot_seconds: float = 0.0  # until the first process runs, by the guest's clock
    collect_seconds: float = 0.0  # until the first test, by the same
    seconds: float = 0.0
    collected: int = 0
    running: list[str] = field(default_factory=list)  # several where pytest-xdist runs them
    tests: list[Case] = field(default_factory=list)
    errors: list[Case] = field(default_factory=list)
    features: list[Feature] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    unpinned: list[str] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)
    more: list[dict[str, Any]] = field(default_factory=list)  # what jobs of other kinds told

    def take(self, record: dict[str, Any]) -> None:
        """Add what the guest told in one line."""
        if "booted" in record:
            self.boot_seconds = record["uptime"]
        elif "collected" in record:
            self.collected = record["collected"]
            self.collect_seconds = record.get("uptime", 0.0)
        elif "start" in record:
            self.running.append(record["start"])
        elif "test" in record:
            record = dict(record)
            name = record.pop("test")
            self.tests.append(Case(name, **record))
            self.running = [other for other in self.running if other != name]
        elif "error" in record:
            self.errors.append(Case(record["error"], FAILED, text=record["text"]))
        elif "feature" in record:
            self.features.append(Feature(record["feature"], record["since"], record["found"]))
        elif "exit" in record:
            self.code = record["exit"]
        else:
            self.more.append(record)

    def blame(self, reports: list[Report]) -> None:
        """Fail the tests during which the kernel reported something."""
        self.reports = reports
        by_name = {test.name: test for test in self.tests}
        for report in reports:
            test = by_name.get(report.test)
            if test and test.outcome != FAILED:
                test.outcome = FAILED
                test.why = f"the kernel reported: {report.lines[0]}"
                test.text = "\n".join(report.lines)

    def close(self) -> None:
        """Count what still ran at the end as failures: it was no orderly one."""
        who = f"the kernel {self.end}" if self.end != FINISHED else f"pytest ended with {self.code}"
        self.tests += [Case(name, FAILED, why=f"{who} in this test") for name in self.running]
        self.running = []

    def count(self, outcome: str) -> int:
        """How many tests ended so."""
        return sum(test.outcome == outcome for test in self.tests)

    @property
    def is_whole(self) -> bool:
        """Whether all tests had their turn, whatever they said."""
        return self.end == FINISHED and self.code in (0, 1)

    @property
    def is_good(self) -> bool:
        """Whether the kernel kept its promises, as far as the suite goes."""
        return self.exit_code == 0

    @property
    def exit_code(self) -> int:
        """The code of pytest inside; 1 where it gave none, or the kernel has something to say."""
        if self.end != FINISHED or self.code is None or self.code < 0:
            return 1
        failed = any(test.outcome == FAILED for test in self.tests)
        return self.code or int(failed or bool(self.unpinned))

    def write(self, path: Path) -> None:
        """Keep it, whole or not at all."""
        cache.write(path, json.dumps(asdict(self), indent=1) + "\n")


def read(path: Path) -> KernelResult:
    """What `write` kept."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        for name, kind in (
            ("tests", Case),
            ("errors", Case),
            ("features", Feature),
            ("reports", Report),
        ):
            data[name] = [kind(**entry) for entry in data[name]]
        return KernelResult(**data)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path} holds no result of a run: {error!r}") from error
