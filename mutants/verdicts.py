"""What is asked of a mutant, what its run means, and where that is kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mutants.catalogue import Mutant
from vmtest import cache, results
from vmtest.results import KernelResult

SOUND = "sound"
KILLED, SURVIVED, BROKEN = "killed", "survived", "gave no result"
REFUSED = "refused by the compiler"


@dataclass
class Verdict:
    """What became of one mutant."""

    name: str
    edit: str  # what identifies the change; another one needs another run
    ours: str = ""
    end: str = ""
    failed: list[str] = field(default_factory=list)
    why: str = ""
    ran: int = 0
    everything: bool = False
    seconds: float = 0.0
    c: str = ""
    c_failed: list[str] = field(default_factory=list)
    programs: list[dict[str, Any]] = field(default_factory=list)
    suite: str = ""  # which state of the tests it is of

    def with_c_of(self, other: Verdict) -> Verdict:
        """This, and what the C suite said in another run of the same mutant."""
        return replace(self, c=other.c, c_failed=other.c_failed, programs=other.programs)

    @property
    def is_doubtful(self) -> bool:
        """Whether the tests may have failed because the machine was slow."""
        return self.is_killed and "in vain for the zygote" in self.why

    @property
    def is_killed(self) -> bool:
        """Whether this suite noticed."""
        return self.ours == KILLED


@dataclass(frozen=True)
class Plan:
    """What is run on one mutant: `number` chooses it in the kernel."""

    mutant: Mutant
    number: int
    edit: str
    c: bool
    patient: bool = False  # after a run in which the machine may only have been slow
    only_c: bool = False  # where it is known what the tests say


class Store:
    """The verdicts of earlier runs, one file each."""

    def __init__(self, directory: Path) -> None:
        """Keep them in `directory`."""
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        """The file of a mutant."""
        return self.directory / f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', name)}.json"

    def get(self, name: str, edit: str, *, broken: bool = False) -> Verdict | None:
        """What the mutant gave, if the change is still the same; what is no result if `broken`."""
        try:
            verdict = Verdict(**json.loads(self.path(name).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        if verdict.edit != edit:
            return None
        return verdict if broken or verdict.ours not in (BROKEN, REFUSED) else None

    def put(self, verdict: Verdict) -> None:
        """Keep it, whole or not at all."""
        cache.write(self.path(verdict.name), json.dumps(asdict(verdict), indent=1) + "\n")


def judge(plan: Plan, result: KernelResult, sound: Verdict | None) -> Verdict:
    """What the run of one mutant means."""
    failing = set(sound.failed) if sound else set()
    failed = [t for t in [*result.errors, *result.tests] if t.outcome == results.FAILED]
    fresh = [case for case in failed if case.name not in failing]
    verdict = Verdict(plan.mutant.name, plan.edit, end=result.end, seconds=result.seconds)
    verdict.failed = [case.name for case in fresh]
    verdict.why = fresh[0].why or fresh[0].text[:300] if fresh else ""
    verdict.ran = len(result.tests)
    verdict.everything = any(r["last"] for r in result.more if "stage" in r)
    verdict.programs = [record for record in result.more if "program" in record]
    begun = [record["begins"] for record in result.more if "begins" in record]
    in_c = len(begun) > len(verdict.programs)
    if plan.only_c:
        verdict.ours = ""
    elif result.end == results.LOST:
        verdict.ours, verdict.why = BROKEN, result.tail[-1]
    elif fresh:
        verdict.ours = KILLED
    elif result.end == results.FINISHED or in_c:
        # Without a code the machine died in the C suite, after pytest had come to its end.
        verdict.ours = SURVIVED if result.tests and result.code in (None, 0, 1) else BROKEN
        if verdict.ours == BROKEN:
            verdict.why = f"pytest ended with {result.code}" if result.tests else "no test ran"
    elif result.boot_seconds:
        verdict.ours, verdict.why = KILLED, f"the kernel {result.end}: {_last(result)}"
    else:
        verdict.ours = BROKEN
    cut_short = in_c and result.end in (results.FINISHED, results.LOST)
    if plan.c and plan.mutant.c and begun and not cut_short:
        verdict.c_failed = c_failures(verdict.programs, sound.programs if sound else [])
        if in_c:
            verdict.c_failed.append(f"{begun[-1]}: the kernel {result.end}")
        verdict.c = KILLED if verdict.c_failed else SURVIVED
    return verdict


def _last(result: KernelResult) -> str:
    said = [line for line in result.tail if "panic" in line or "BUG" in line]
    return (said or result.tail or ["it says nothing"])[-1]


def c_failures(found: Iterable[dict[str, Any]], sound: Iterable[dict[str, Any]]) -> list[str]:
    """The tests of the C suite that failed, or never ended, and do neither on a sound kernel."""
    usual = {record["program"]: record for record in sound}
    failed = []
    for record in found:
        name, before = record["program"], usual.get(record["program"])
        known = before["points"] if before else {}
        bad = {point for point, said in record["points"].items() if said == "not ok"}
        worse = [point for point in bad if known.get(point) != "not ok"]
        if worse:
            failed += [f"{name}: {point}" for point in sorted(worse)]
        elif record["code"] is None and (before is None or before["code"] is not None):
            failed.append(f"{name}: no end")
        elif record["code"] not in (0, None) and before and record["code"] != before["code"]:
            failed.append(f"{name}: ends with {record['code']}")
    return failed
