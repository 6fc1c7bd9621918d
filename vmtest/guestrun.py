"""The run of the suite on one kernel, from boot to result."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from vmtest import cache, console, host, machine, results, root
from vmtest.images import Kernel
from vmtest.machine import Machine
from vmtest.results import KernelResult

ORDINARY_USER = 1000
PYTEST = ("-p", "vmtest.guest.reporter", "-p", "no:cacheprovider", "--color=no",
          "--watch-kernel-log", "--own-machine")  # fmt: skip
_TAIL = 25
_DIRECTORY = "vmtest-"


class Settings(NamedTuple):
    """How machines are made, and how long they may take."""

    kvm: bool
    cpus: int = 2
    memory: int = 1024
    boot_timeout: float = 120.0
    silence: float = 180.0
    arguments: tuple[str, ...] = ()
    keep: Path | None = None
    ordinary_user: bool = False

    def side_by_side(self, cores: int | None = None, free: int | None = None) -> int:
        """How many machines fit here: each has cores of its own, and none is in memory in use.

        `cores` and `free` MiB are those that this process may use, unless given.
        """
        cores = host.cores() if cores is None else cores
        free = host.free_memory() if free is None else free
        return max(1, min(cores // self.cpus, free // (self.memory + 256)))


class Job(NamedTuple):
    """What to run instead of the suite: a module, its arguments, and files that it needs."""

    module: str
    arguments: tuple[str, ...] = ()
    files: Mapping[str, Path] = {}
    texts: Mapping[str, str] = {}


def sweep() -> None:
    """Remove what runs that were killed have left on the disk."""
    cache.sweep(Path(tempfile.gettempdir()), _DIRECTORY)


class GuestRun:
    """One kernel's run; `step` moves it on, and `result` is whole once it has ended."""

    def __init__(
        self, kernel: Kernel, command: list[str], settings: Settings, job: Job | None = None
    ) -> None:
        """Make ready; nothing runs before the first `step`."""
        self.kernel = kernel
        self.listen: Callable[[dict[str, Any]], None] = lambda _: None
        self._job = job or Job("pytest", (*PYTEST, *settings.arguments))
        self._command = command
        self._settings = settings
        self._machine: Machine | None = None
        self._directory = Path(tempfile.mkdtemp(prefix=f"{_DIRECTORY}{os.getpid()}-"))
        self._heard = self._begun = time.monotonic()
        self.result = KernelResult(
            label=kernel.label,
            origin=kernel.origin,
            release=kernel.release,
            accelerator="kvm" if settings.kvm else "tcg",
            user="user" if settings.ordinary_user else "root",
        )

    def _start(self) -> None:
        python = root.guest_python()
        job: dict[str, object] = {
            "argv": [python, "-m", self._job.module, *self._job.arguments],
            "env": {
                "PATH": "/usr/bin:/bin",
                "HOME": "/tmp" if self._settings.ordinary_user else "/root",
                "LANG": "C.UTF-8",
                "PYTHONPATH": f"{root.SITE}:{root.SUITE}",
                "PYTHONDONTWRITEBYTECODE": "1",
                "VMTEST_RESULTS": machine.RESULTS,
            },
            "cwd": root.SUITE,
            "uid": ORDINARY_USER if self._settings.ordinary_user else 0,
            "results": machine.RESULTS,
            "output": machine.OUTPUT,
        }
        root.pack(self.kernel, job, self._directory / "root", self._job.files, self._job.texts)
        command = machine.with_ports(self._command, self._directory)
        self._machine = Machine(command, self._directory)
        self._heard = self._machine.started

    def step(self) -> bool:
        """Take what has come; False once it is over."""
        if self._machine is None:
            if self.result.boots == 1:  # waiting for its turn is no time of the run
                self._begun = time.monotonic()
            self._start()
            return True
        over = self._machine.has_ended()
        for record in self._machine.records():
            self.result.take(record)
            self.listen(record)
            self._heard = time.monotonic()
        if over:
            return self._judge()
        if time.monotonic() - self._heard > self._patience:
            self._machine.kill()
            self._finish(results.HUNG if self._is_up else results.NO_BOOT)
            return False
        return True

    @property
    def _is_up(self) -> bool:
        return self.result.boot_seconds > 0

    @property
    def _patience(self) -> float:
        return self._settings.silence if self._is_up else self._settings.boot_timeout

    def _judge(self) -> bool:
        """The machine is off: find out why. A boot that the emulation spoilt is done once more."""
        assert self._machine
        said = console.lines(self._machine.console())
        if (
            not self._is_up
            and self.result.boots == 1
            and not self._settings.kvm
            and console.died_of_emulation(said)
        ):
            self.result.boots = 2
            self._machine = None
            return True
        if self._machine.failure() and self.result.code is None:
            self._finish(results.LOST)
        else:
            self._finish(console.end(said, started=self._is_up, code=self.result.code))
        return False

    def _finish(self, end: str) -> None:
        assert self._machine
        said = console.lines(self._machine.console())
        self.result.end = end
        self.result.seconds = round(time.monotonic() - self._begun, 1)
        self.result.close()
        found = console.reports(said)
        self.result.blame(found)
        if end != results.FINISHED:
            self.result.tail = said[-_TAIL:] or self._machine.complaints()[-_TAIL:]
            if end == results.LOST:
                self.result.tail.append(self._machine.failure())
        elif self.result.code not in (0, 1):
            self.result.tail = self._printed()[-_TAIL:]
        if self._settings.keep:
            self._save(self._settings.keep)

    def _printed(self) -> list[str]:
        """What the job said."""
        try:
            text = (self._directory / "output").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:  # a machine that died before it could
            return []
        return console.lines(text)

    def _save(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        name = self.result.label.replace("/", "_")
        self.result.write(directory / f"{name}.json")
        for kind in ("console", "output"):
            if (self._directory / kind).exists():
                shutil.copyfile(self._directory / kind, directory / f"{name}.{kind}.txt")

    def close(self) -> None:
        """End whatever runs, and leave no file."""
        if self._machine and not self._machine.has_ended():
            self._machine.kill()
        shutil.rmtree(self._directory, ignore_errors=True)
