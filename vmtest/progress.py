"""Tells, on a terminal, what boots, what runs, how much is left and how long it will take."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

from vmtest.results import FAILED, KernelResult


class Progress:
    """One line that is written over; nothing at all where nobody looks."""

    def __init__(self, kernels: int, out: TextIO | None = None) -> None:
        """Tell of a run over so many kernels."""
        self._out = out or sys.stderr
        self._shown = self._out.isatty()
        self._kernels = kernels
        self._done = 0
        self._begun = time.monotonic()

    def show(self, running: list[KernelResult]) -> None:
        """Write the line anew."""
        if self._shown:
            self._write(line(running, self._done, self._kernels, time.monotonic() - self._begun))

    def ended(self, result: KernelResult) -> None:
        """A kernel is done."""
        self._done += 1
        if self._shown:
            self._write(f"{result.label}: {summary(result)}")
            self._out.write("\n")

    def close(self) -> None:
        """Leave the terminal clean."""
        if self._shown:
            self._write("")
            self._out.flush()

    def _write(self, text: str) -> None:
        room = shutil.get_terminal_size().columns - 1  # a line that wraps is not written over
        self._out.write(f"\r\x1b[K{text[:room]}")
        self._out.flush()


def summary(result: KernelResult) -> str:
    """One kernel in one line."""
    failed = result.count(FAILED)
    tests = f"{len(result.tests)} tests, {failed} failed" if result.tests else "no tests"
    return f"{result.end}, {tests}, {result.seconds:.0f} s"


def line(running: list[KernelResult], done: int, kernels: int, elapsed: float) -> str:
    """The line: what each machine does, kernels left, time to go."""
    words = []
    share = float(done)
    for result in running:
        if not result.boot_seconds:
            words.append(f"{result.label} boots")
        elif not result.collected:
            words.append(f"{result.label} collects")
        else:
            words.append(f"{result.label} {len(result.tests)}/{result.collected}")
            share += len(result.tests) / result.collected
    left = kernels - done - len(running)
    text = ", ".join(words) + (f"; {left} to come" if left else "")
    if share > 0.05:
        text += f"; {_clock(elapsed / share * (kernels - share))} to go"
    return text


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
