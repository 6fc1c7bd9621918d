"""What runs inside a machine: mutants, one after the other, and what is to notice them.

The kernel boots sound. /plan.json holds ``steps`` and ``gcov``, whether to send home what was
counted. A step is a mutant: its name, its ``number``, ``stages``, lists of arguments for pytest of
which the next is run where the last found nothing, and ``programs``, each with its time limit.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

import pytest

SWITCH = "/sys/module/kernel/parameters/pidfd_mutant"
PROGRAMS = "/c"
GCOV = "/sys/kernel/debug/gcov"
_POINT = re.compile(r"^[#\s]*(ok|not ok)\s+\d+\s*(.*)$")
_TAIL = 1500
_FELL_OVER, _NOT_FOUND = 70, 127


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
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                [f"{PROGRAMS}/{name}"], cwd=PROGRAMS, stdin=subprocess.DEVNULL, stdout=said,
                stderr=said, start_new_session=True,
            )  # fmt: skip
        except FileNotFoundError as error:
            return {"program": name, "code": _NOT_FOUND, "points": {}, "text": str(error),
                    "seconds": 0.0}  # fmt: skip
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


def _say(**record: object) -> None:
    fd = os.open(os.environ["VMTEST_RESULTS"], os.O_WRONLY | os.O_NOCTTY | os.O_CREAT | os.O_APPEND)
    try:
        line = json.dumps(record).encode() + b"\n"
        while line:
            line = line[os.write(fd, line) :]
    finally:
        os.close(fd)


def _pytest(arguments: list[str]) -> int:
    """Run it in a child, which finds pytest imported already."""
    child = os.fork()
    if not child:
        code = _FELL_OVER
        try:
            code = int(pytest.main(arguments))
        finally:
            sys.stdout.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _clear() -> None:
    """End all that the last mutant may have left: everything but the first process and us."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def stage(number: int, arguments: list[str]) -> dict[str, Any]:
    """What is told of a stage: after the last there is no test left."""
    return {"stage": number, "last": arguments[-1] == "tests"}


def _one(step: dict[str, Any]) -> int:
    """One mutant: the tests, then the programs; the code of the last pytest."""
    _say(mutant=step["mutant"], number=step["number"])
    if step["number"]:
        Path(SWITCH).write_text(str(step["number"]), encoding="ascii")
    code = 0
    for number, arguments in enumerate(step["stages"], 1):
        _say(**stage(number, arguments))
        code = _pytest(arguments)
        if code:
            break
    for name, seconds in step["programs"]:
        _clear()
        _say(begins=name)
        _say(**_run_program(name, seconds))
    if step["number"]:
        Path(SWITCH).write_text("0", encoding="ascii")
    _clear()
    _say(done=step["mutant"], code=code)
    return code


def main() -> int:
    """Do what the plan says; the code of the last pytest."""
    with open("/plan.json", encoding="utf-8") as file:
        plan = json.load(file)
    code = 0
    for step in plan["steps"]:
        code = _one(step)
        for path, content in _counts().items() if plan["gcov"] else ():
            _say(gcov=path, content=content)
    return code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception:  # noqa: BLE001 - the output is kept where the code is none of pytest's usual
        traceback.print_exc()
        sys.exit(_FELL_OVER)
