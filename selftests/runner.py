"""Runs the suite as its users do: on a scratch copy of the project, in a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from selftests.sandbox import CANNOT

ROOT = Path(__file__).resolve().parent.parent

HEADER = """\
from __future__ import annotations
import ctypes, errno, os, select, signal, subprocess, sys, threading, time
import pytest
from helpers import agent, deadline, features, gating, info, journal, kernel, observe, process
from helpers import procfs, syscalls, uapi
from helpers.expect import moved, refused
from helpers.features import Absent, Feature, Forbidden, Present
from helpers.gating import needs
from helpers.kernel import Version
from helpers.uapi import CloneFlag, InfoMask, PidfdFlag, PollEvent
"""

_COUNT = re.compile(r"(\d+) (passed|failed|skipped|errors?|deselected|xfailed|xpassed)")


class Run(NamedTuple):
    """How one run of pytest ended, and what it said."""

    code: int
    out: str
    err: str

    @classmethod
    def of(cls, command: list[str], **options: Any) -> Run:
        """Run `command` to its end."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("timeout", 60)
        done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
        return cls(done.returncode, done.stdout, done.stderr)

    @property
    def counts(self) -> dict[str, int]:
        """The numbers in the last line: ``{"passed": 2}``."""
        last = self.out.rstrip().rpartition("\n")[2]
        return {word.rstrip("s"): int(number) for number, word in _COUNT.findall(last)}

    def outcome(self, test: str, word: str = "FAILED") -> str:
        """What the short summary says of `test`: ``failed: `` and the reason in one line."""
        found = re.search(rf"^{word} \S*::{re.escape(test)}(?: - (.*))?$", self.out, re.MULTILINE)
        assert found, f"{test} is not {word} in the summary:\n{self.out}{self.err}"
        return f"{word.lower()}: {found[1]}"

    @property
    def passed(self) -> set[str]:
        """The tests that passed."""
        return set(re.findall(r"^PASSED \S*::(\S+)", self.out, re.MULTILINE))

    @property
    def skips(self) -> list[str]:
        """The reasons of the skipped tests."""
        return re.findall(r"^SKIPPED \[\d+\] \S+: (.*)", self.out, re.MULTILINE)

    def report(self, test: str) -> str:
        """All that the failure section of `test` says."""
        head = rf"^_{{3,}} (?:ERROR at \w+ of )?{re.escape(test)} _{{3,}}\n"
        pattern = rf"{head}(.*?)(?=^_{{3,}} .+ _{{3,}}\n|^={{3,}} .+ ={{3,}}\n)"
        found = re.findall(pattern, self.out, re.MULTILINE | re.DOTALL)
        assert found, f"no failure of {test} is reported:\n{self.out}{self.err}"
        return "\n".join(found)


class Project:
    """A scratch copy of the project with tests of its own."""

    def __init__(self, path: Path) -> None:
        """Lay it out in `path`: the real settings and conftest.py, the real helpers/."""
        self.path = path
        for name in ("conftest.py", "pyproject.toml"):
            shutil.copy(ROOT / name, path)
        (path / "known_issues.toml").touch()
        (path / "helpers").symlink_to(ROOT / "helpers")
        (path / "tests").mkdir()
        self.settings = {"COLUMNS": "100", "CI": "1", "PYTHONDONTWRITEBYTECODE": "1"}

    def write(self, source: str, name: str = "test_scratch.py") -> Path:
        """Write a test module, below the imports that are the same for all."""
        target = self.path / "tests" / name
        target.write_text(HEADER + textwrap.dedent(source))
        return target

    def command(self, *options: str) -> list[str]:
        """The command line of a run with `options`."""
        return [sys.executable, "-m", "pytest", "-rA", *options]

    def environment(self) -> dict[str, str]:
        """An environment in which no setting of the run that tests now has a say."""
        # TOX_ENV_DIR is where pytest keeps its cache, with the failures of that run.
        ours = ("PYTEST", "TOX_ENV_DIR")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
        return {**kept, **self.settings}

    def run(
        self,
        *options: str,
        wrapper: Sequence[str] = (),
        cwd: Path | None = None,
        python: Sequence[str] = (),
        **more: Any,
    ) -> Run:
        """Run to the end; `wrapper` is a program that starts the run, `python` its options."""
        command = self.command(*options)
        command[1:1] = python
        more.setdefault("env", self.environment())
        return Run.of([*wrapper, *command], cwd=cwd or self.path, **more)

    def run_in(self, *place: str, options: Sequence[str] = ()) -> Run:
        """Run in a sandbox; skips the test where the sandbox is not to be had."""
        wrapper = [sys.executable, str(ROOT / "selftests" / "sandbox.py"), *place, "--"]
        run = self.run(*options, wrapper=wrapper)
        if run.code == CANNOT:
            pytest.skip(run.err.strip())
        return run

    def start(self, *options: str) -> subprocess.Popen[str]:
        """Start a run in a process group of its own and do not wait."""
        return subprocess.Popen(
            self.command(*options),
            cwd=self.path,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
