"""The table: subjects and tests by kernel, and the reasons for all that did not pass."""

from __future__ import annotations

import re
from collections.abc import Iterable

from helpers import pins
from helpers.kernel import parse_release
from vmtest.markdown import table_of
from vmtest.results import FAILED, FINISHED, KNOWN, OUTCOMES, PASSED, SKIPPED, Case, KernelResult

SIGNS = {PASSED: "+", SKIPPED: "s", KNOWN: "k", FAILED: "**F**"}
_LONGEST = 220
_LEGEND = (
    f"{SIGNS[PASSED]} passed, {SIGNS[SKIPPED]} skipped, {SIGNS[KNOWN]} known kernel bug, "
    f"{SIGNS[FAILED]} failed. A number counts the scenarios of a test.\n"
)
_SAID_BY_PROBES = (
    "Found by the suite's probes; **!** where that is not what the version should have, "
    "- where what it is about is missing.\n"
)


def order(label: str) -> tuple[int, ...]:
    """Kernels by number."""
    return tuple(map(int, re.findall(r"\d+", label))) or (0,)


def subject(name: str) -> str:
    """The folder of a test."""
    parts = name.split("::")[0].split("/")
    return parts[-2] if len(parts) > 1 else parts[0]


def function(name: str) -> str:
    """The test without its file and its parameters."""
    return pins.function(name).partition("::")[2]


def text(found: list[KernelResult]) -> str:
    """What is printed at the end: ends, counts by subject, and what failed and why."""
    rows = [["kernel", "release", "end", *OUTCOMES, "boot", "all"]]
    for result in found:
        counts = [str(result.count(outcome)) for outcome in OUTCOMES]
        times = [f"{result.boot_seconds:.1f} s", f"{result.seconds:.0f} s"]
        rows.append([result.label, result.release, _end(result), *counts, *times])
    parts = [_columns(rows)]
    subjects = _subjects(found)
    if subjects:
        header = ["subject", *(result.label for result in found)]
        parts.append(_columns([header, *([s, *(_cell(r, s) for r in found)] for s in subjects)]))
    parts += [_troubles(result) for result in found if not result.is_good]
    return "\n".join(part for part in parts if part)


def _columns(rows: list[list[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths)) for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _end(result: KernelResult) -> str:
    return result.end if result.code in (0, None) else f"{result.end} ({result.code})"


def _cell(result: KernelResult, name: str) -> str:
    tests = [test for test in result.tests if subject(test.name) == name]
    return counts(tests).replace("**", "")


def counts(tests: Iterable[Case]) -> str:
    """Numbers with their signs, ``12+ 3s``; a sign alone for a single test."""
    outcomes = [test.outcome for test in tests]
    if len(outcomes) == 1:
        return SIGNS[outcomes[0]]
    said = (f"{outcomes.count(kind)}{SIGNS[kind]}" for kind in OUTCOMES if kind in outcomes)
    return " ".join(said) or "-"


def _troubles(result: KernelResult) -> str:
    lines = [f"{result.label} ({result.release}):"]
    for test in [*result.errors, *result.tests]:
        if test.outcome == FAILED:
            lines.append(f"  FAILED {test.name}: {_short(test.why or test.text)}")
    lines += [f"  not as pinned: {line}" for line in result.unpinned]
    if result.end != FINISHED:
        said = "the last lines of its console:" if result.tail else "its console says nothing"
        lines.append(f"  it {result.end}; {said}")
    elif result.tail:
        lines.append(f"  pytest ended with {result.code}; the last that it said:")
    lines += [f"    {line}" for line in result.tail]
    return "\n".join(lines) + "\n"


def _short(why: str) -> str:
    first = why.strip().splitlines()[0] if why.strip() else ""
    return first if len(first) <= _LONGEST else f"{first[: _LONGEST - 3]}..."


def _subjects(found: list[KernelResult]) -> list[str]:
    return sorted({subject(test.name) for result in found for test in result.tests})


def markdown(found: list[KernelResult]) -> str:
    """The page: kernels, subjects, features, tests, reasons."""
    parts = [
        "# The suite by kernel\n",
        "Made by `python -m vmtest --matrix --table docs/kernels.md`; do not edit.\n",
        _LEGEND,
        "## Kernels\n",
        _kernels(found),
        "## Subjects\n",
        _grid(found, "subject", {s: _names(found, s) for s in _subjects(found)}),
        "## Features\n",
        _SAID_BY_PROBES,
        _features(found),
        "## Tests\n",
    ]
    for name in _subjects(found):
        rows: dict[str, set[str]] = {}
        for test in sorted(_names(found, name)):
            rows.setdefault(function(test), set()).add(test)
        parts += [f"### {name}\n", _grid(found, "test", rows)]
    parts += ["## Reasons\n", _reasons(found)]
    return "\n".join(parts)


def _kernels(found: list[KernelResult]) -> str:
    head = ["kernel", "release", "from", "by", "as", "end", *OUTCOMES, "boot s", "all s"]
    rows = []
    for r in found:
        numbers = [str(r.count(outcome)) for outcome in OUTCOMES]
        times = [f"{r.boot_seconds:.1f}", f"{r.seconds:.0f}"]
        rows.append(
            [r.label, r.release, r.origin, r.accelerator, r.user, _end(r), *numbers, *times]
        )
    return table_of(head, rows)


def _names(found: list[KernelResult], folder: str) -> set[str]:
    return {t.name for r in found for t in r.tests if subject(t.name) == folder}


def _grid(found: list[KernelResult], what: str, rows: dict[str, set[str]]) -> str:
    return table_of(
        [what, *(r.label for r in found)],
        [
            [name, *(counts(t for t in r.tests if t.name in members) for r in found)]
            for name, members in rows.items()
        ],
    )


def _features(found: list[KernelResult]) -> str:
    known = {f.name: f.since for r in found for f in r.features}
    rows = []
    for name, since in sorted(known.items(), key=lambda item: (order(item[1]), item[0])):
        cells = []
        for result in found:
            said = next((f.found for f in result.features if f.name == name), "-")
            cells.append(feature_cell(said, since, result.release))
        rows.append([name, since, *cells])
    return table_of(["feature", "since", *(r.label for r in found)], rows)


def feature_cell(found: str, since: str, release: str) -> str:
    """What a probe found, marked where the version leads to expect otherwise."""
    if found == "unasked":
        return "-"
    if found not in ("present", "absent"):
        return found
    version, first = parse_release(release), parse_release(since.lstrip("v"))
    sign = "yes" if found == "present" else "no"
    return sign if (version >= first) == (found == "present") else f"{sign} **!**"


def _reasons(found: list[KernelResult]) -> str:
    gathered: dict[tuple[str, str], dict[str, list[str]]] = {}
    for result in found:
        for test in [*result.errors, *result.tests]:
            if test.outcome != PASSED:
                key = (test.outcome, _short(test.why or test.text))
                gathered.setdefault(key, {}).setdefault(result.label, []).append(test.name)
    out = ""
    for outcome in (FAILED, KNOWN, SKIPPED):
        for (kind, why), where in sorted(gathered.items()):
            if kind != outcome:
                continue
            labels = ", ".join(f"{label} ({len(tests)})" for label, tests in where.items())
            out += f"- {SIGNS[kind]} {why}: {labels}\n"
            if kind != SKIPPED:
                tests = sorted({test for names in where.values() for test in names})
                out += "".join(f"  - `{test}`\n" for test in tests[:12])
    return out
