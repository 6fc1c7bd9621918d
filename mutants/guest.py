"""What runs inside a machine: one mutant, the tests that are about it, the C suite's, gcov's files.

The kernel boots sound. The plan, JSON in the environment, holds ``mutant``, ``stages``, lists of
arguments for pytest of which the next is run where the last found nothing, ``programs``, each with
its time limit, and ``gcov``, whether to send home what was counted.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from vmtest.guest.reporter import Reporter

SWITCH = "/sys/module/kernel/parameters/pidfd_mutant"
CORE_PATTERN = "/proc/sys/kernel/core_pattern"
PROGRAMS = "/c"
GCOV = "/sys/kernel/debug/gcov"
_POINT = re.compile(r"^[#\s]*(ok|not ok)\s+\d+\s*(.*)$")
_TAIL = 1500


def points(output: str) -> dict[str, str]:
    """What a program said in the Test Anything Protocol: ``ok``, ``not ok`` or ``skip`` by test."""
    found = {}
    for line in output.splitlines():
        match = _POINT.match(line)
        if match:
            name, _, directive = match[2].partition("#")
            name = re.sub(r"\d+", "N", name.strip(" -"))
            skipped = directive.strip().upper().startswith("SKIP")
            found[name] = "skip" if skipped else match[1]
    return found


def _run_program(name: str, seconds: float) -> dict[str, Any]:
    begun = time.monotonic()
    with open("/tmp/said", "w+b") as said:
        process = subprocess.Popen(
            [f"{PROGRAMS}/{name}"], cwd=PROGRAMS, stdin=subprocess.DEVNULL, stdout=said,
            stderr=said, start_new_session=True,
        )  # fmt: skip
        try:
            code: int | None = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
            os.killpg(process.pid, 9)
        said.seek(0)
        output = said.read().decode(errors="replace")
    return {"program": name, "code": code, "points": points(output), "text": output[-_TAIL:],
            "seconds": round(time.monotonic() - begun, 1)}  # fmt: skip


def _counts() -> dict[str, str]:
    """The files of gcov, by their paths."""
    files = sorted(Path(GCOV).rglob("*.gcda"))
    return {str(path): base64.b64encode(path.read_bytes()).decode() for path in files}


def main() -> int:
    """Do what the plan says; the code of the last pytest."""
    plan = json.loads(os.environ["MUTANT_PLAN"])
    tell = Reporter(os.environ["VMTEST_RESULTS"])
    Path(CORE_PATTERN).write_text("@/run/core", encoding="ascii")
    if plan["mutant"]:
        Path(SWITCH).write_text(str(plan["mutant"]), encoding="ascii")
    code = 0
    for number, arguments in enumerate(plan["stages"], 1):
        tell.say(stage=number)
        code = subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode
        if code:
            break
    for name, seconds in plan["programs"]:
        tell.say(begins=name)
        tell.say(**_run_program(name, seconds))
    if plan["gcov"]:
        for path, content in _counts().items():
            tell.say(gcov=path, content=content)
    return code


if __name__ == "__main__":
    sys.exit(main())
