"""``python -m selftests.faults TEST...``: which faults fail a test, and how.

A TEST is what pytest takes; the first parameter set of each test function is run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
_WIDTH = 120


class Pair(NamedTuple):
    """A test against a fault: ``failed``, ``survived``, ``skipped``, or ``broken`` otherwise."""

    fault: str
    test: str
    verdict: str
    why: str


class Run(NamedTuple):
    """What became of the pairs, the code that pytest ended with, and what it said."""

    pairs: list[Pair]
    code: int
    output: str


def run(against: str, tests: list[str], *options: str) -> Run:
    """Run `tests` against faults."""
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as report:
        command = [sys.executable, "-m", "pytest", "-p", "selftests.faults.plugin", "-q"]
        command += [f"--against={against}", f"--faults-report={report.name}"]
        command += ["-p", "no:cacheprovider", "-rN", *options, *tests]
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
        done = subprocess.run(
            command, cwd=ROOT, env=kept, capture_output=True, text=True, check=False
        )
        pairs = [Pair(*json.loads(line)) for line in report]
        return Run(pairs, done.returncode, done.stdout + done.stderr)


def table(pairs: list[Pair]) -> str:
    """The faults of each test, with the failure text of each in a line."""
    by_test: dict[str, list[str]] = {}
    for fault, test, verdict, why in pairs:
        lines = by_test.setdefault(test, [])
        if verdict in ("failed", "skipped"):
            said = why.replace("AssertionError: ", "", 1).partition(" + where ")[0]
            line = f"  {fault if verdict == 'failed' else verdict}: {said}"[:_WIDTH]
            if line not in lines:
                lines.append(line)
    return "".join(
        "\n".join([test, *(lines or ["  no fault fails it"])]) + "\n"
        for test, lines in by_test.items()
    )


def main(tests: list[str]) -> int:
    """Print the faults of each test."""
    if not tests:
        sys.stderr.write(__doc__ or "")
        return 2
    found = run("every", tests, "--tb=no", "--deadline=2")
    if found.code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        sys.stderr.write(f"pytest ended with {found.code}:\n{found.output}")
        return 2
    sys.stdout.write(table(found.pairs))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
