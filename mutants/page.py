"""The table of mutants, as text and as the page docs/sensitivity.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from helpers import pins
from mutants import catalogue
from mutants.catalogue import Mutant
from mutants.verdicts import BROKEN, KILLED, SURVIVED, Verdict
from vmtest import results
from vmtest.markdown import table_of

EXPLAINED = Path(__file__).with_name("survivors.toml")
_NAMES = 2
_INTRODUCTION = """\
A mutant is a kernel that breaks one rule on purpose. All are in one image, each behind a switch
that is thrown once the machine is up; with none the kernel is sound. Mutants that share a machine
follow each other, with every process ended in between.
"""
_CHOSEN = """\
The rule that each breaks; the first tests that then failed, after which the rest is not waited for;
what the programs of the C suite that are about the rule say.
"""
_SURVIVED = """\
What stands in the source, and what took its place. Either a test is missing, or the kernel
behaves the same.
"""


class Row(NamedTuple):
    """One mutant and what became of it."""

    mutant: Mutant
    verdict: Verdict


class Numbers(NamedTuple):
    """How many of some mutants were killed."""

    killed: int
    of: int

    def __str__(self) -> str:
        return f"{self.killed} of {self.of}"


def ours(rows: Iterable[Row]) -> Numbers:
    """By this suite; what gave no result does not count."""
    counted = [row for row in rows if row.verdict.ours in (KILLED, SURVIVED)]
    return Numbers(sum(row.verdict.is_killed for row in counted), len(counted))


def c_suite(rows: Iterable[Row]) -> Numbers:
    """By the C suite, whose programs are about some of them; the others it cannot notice."""
    counted = [row for row in rows if row.verdict.c or not row.mutant.c]
    return Numbers(sum(row.verdict.c == KILLED for row in counted), len(counted))


def explanations(path: Path = EXPLAINED) -> dict[str, str]:
    """Why a mutant survives, by its name."""
    if not path.is_file():
        return {}
    return {entry["name"]: entry["why"] for entry in catalogue.read(path).get("survivor", [])}


def said(verdict: Verdict) -> str:
    """What became of a mutant, in words."""
    if verdict.ours == KILLED and verdict.end not in (results.FINISHED, ""):
        where = f" in {_short(verdict.failed[-1])}" if verdict.failed else ""
        return f"killed: the kernel {verdict.end}{where}"
    if verdict.ours == KILLED:
        names = [_short(name) for name in dict.fromkeys(map(pins.function, verdict.failed))]
        more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
        return f"killed by {', '.join(names[:_NAMES])}{more}"
    if not verdict.ours:
        return "not run yet"
    if verdict.ours == BROKEN:
        return ": ".join(filter(None, (BROKEN, verdict.why or verdict.end)))
    return "**survived**" + ("" if verdict.everything else " (not all tests were run)")


def said_of_c(row: Row) -> str:
    """The C suite's verdict, in words."""
    verdict = row.verdict
    if verdict.c == KILLED:
        more = f" and {len(verdict.c_failed) - 1} more" if len(verdict.c_failed) > 1 else ""
        return f"killed: {verdict.c_failed[0]}{more}"
    return verdict.c or ("not run" if row.mutant.c else "no program is about it")


def _short(name: str) -> str:
    return pins.function(name).rpartition("/")[2].replace(".py::", "::")


def line(row: Row) -> str:
    """One mutant in one line of a terminal."""
    c = f"; C: {said_of_c(row)}" if row.verdict.c else ""
    return f"{row.mutant.name}: {said(row.verdict)}{c} ({row.verdict.seconds:.0f} s)"


def markdown(
    rows: list[Row],
    *,
    suite: str,
    version: str,
    date: str,
    command: str,
    coverage: str,
    unbuilt: list[str],
) -> str:
    """The page, which is of today's tests where a verdict is of this state of the `suite`."""
    chosen = [row for row in rows if not row.mutant.operator]
    automatic = [row for row in rows if row.mutant.operator]
    why = explanations()
    killed = [["chosen mutants killed", str(ours(chosen)), str(c_suite(chosen))]]
    if automatic:
        killed.append(["mechanical mutants killed", str(ours(automatic)), "not run"])
    parts = [
        "# What the suite notices\n",
        f"Linux {version}, {date}. Made by `{command}`; do not edit.\n",
        _INTRODUCTION,
        table_of(["", "this suite", "C suite"], killed),
        _lacking(rows, suite),
        coverage,
        "## Chosen mutants\n",
        _CHOSEN,
        table_of(
            ["mutant", "rule", "this suite", "C suite"],
            [[r.mutant.name, r.mutant.rule, said(r.verdict), said_of_c(r)] for r in chosen],
        ),
    ]
    if survived := [row for row in automatic if row.verdict.ours == SURVIVED]:
        parts += ["## Mechanical mutants that survived\n", _SURVIVED, _survivors(survived, why)]
    explained = [r for r in chosen if r.verdict.ours == SURVIVED and r.mutant.name in why]
    if explained:
        lines = (f"- {row.mutant.name}: {why[row.mutant.name]}\n" for row in explained)
        parts += ["## Chosen mutants that survived\n", "".join(lines)]
    if unbuilt:
        parts += ["## Not built\n", "".join(f"- {name}\n" for name in unbuilt)]
    return "\n".join(part for part in parts if part)


def _survivors(rows: list[Row], why: Mapping[str, str]) -> str:
    """Mutants of operators, each with its place and what explains it."""
    return table_of(
        ["mutant", "line", "instead of", "stands", "why"],
        [
            [r.mutant.name, f"{r.mutant.file}:{r.mutant.line}", f"`{r.mutant.rule}`",
             f"`{r.mutant.text or 'nothing'}`", why.get(r.mutant.name, "")]
            for r in rows
        ],
    )  # fmt: skip


def _lacking(rows: list[Row], suite: str) -> str:
    """What is said where a run was not finished, or not of these tests alone."""
    judged = [row.verdict for row in rows if row.verdict.ours in (KILLED, SURVIVED)]
    left, older = len(rows) - len(judged), sum(verdict.suite != suite for verdict in judged)
    text = f"{left} of these {len(rows)} have no verdict of this suite yet.\n" if left else ""
    return text + (f"{older} verdicts are of earlier states of the tests.\n" if older else "")


def summary(rows: list[Row]) -> str:
    """The numbers, and every mutant that nothing is known to have noticed.

    Of mechanical mutants that were never run there may be hundreds: they are only counted.
    """
    chosen = [row for row in rows if not row.mutant.operator]
    automatic = [row for row in rows if row.mutant.operator]
    new = sum(not row.verdict.ours for row in automatic)
    out = f"chosen mutants killed: {ours(chosen)}; by the C suite: {c_suite(chosen)}\n"
    if automatic:
        left = f"; not run yet: {new}" if new else ""
        out += f"mechanical mutants killed: {ours(automatic)}{left}\n"
    for row in rows:
        if row.verdict.ours != KILLED and (row.verdict.ours or not row.mutant.operator):
            out += f"  {line(row)}\n"
    return out
