"""Reads a kernel's console: what went wrong, and during which test."""

from __future__ import annotations

import re

from helpers.kmsg import MARK, OVER, is_report
from vmtest import results
from vmtest.results import Report

BOOT = "(boot)"
_STAMP = re.compile(r"^\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ?")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f]")
_PANIC = re.compile(r"Kernel panic - not syncing: (.*)")
_DEADLOCKED = ("System is deadlocked on memory", "Out of memory and no killable processes")
_LONGEST_REPORT = 40
_FLAGS = re.compile(r"EFLAGS: ([0-9a-f]{8})$")
_HIGHEST_FLAG = 21  # CPUID


def lines(text: str) -> list[str]:
    """The lines of a console, without times and terminal codes."""
    found = (_STAMP.sub("", _CONTROL.sub("", line)).rstrip() for line in text.split("\n"))
    return [line for line in found if line]


def reports(console: list[str]) -> list[Report]:
    """What the kernel reported, with each of the tests that ran, or the last that did.

    What comes while the kernel boots has no test; what follows a report is kept with it.
    """
    found: list[Report] = []
    told: list[Report] = []
    running: list[str] = []
    last, left = BOOT, 0
    for line in console:
        if MARK in line:
            last, left = line.partition(MARK)[2], 0
            running.append(last)
        elif OVER in line:
            running = [test for test in running if test != line.partition(OVER)[2]]
            left = 0
        elif is_report(line) and not left:
            told = [Report(test, [line]) for test in running or [last]]
            found += told
            left = _LONGEST_REPORT - 1
        elif left:
            for report in told:
                report.lines.append(line)
            left -= 1
    for report in found:
        if wrong := next(filter(_is_impossible, report.lines), None):
            report.lines.insert(0, f"not the kernel but the emulator has failed: {wrong}")
    return found


def _is_impossible(line: str) -> bool:
    """Whether the flags in an oops are none that a processor can have: upper bits are always 0.

    qemu without KVM keeps flags as operands until they are asked for, and can take the wrong ones.
    """
    match = _FLAGS.search(line)
    return bool(match and int(match[1], 16) >> _HIGHEST_FLAG + 1)


def end(console: list[str], *, started: bool, code: int | None) -> str:
    """How a machine ended that ended by itself.

    `started` tells whether it got as far as the suite, `code` what the suite then gave.
    """
    killed = code is not None and code < 0
    if any("Out of memory: Killed" in line for line in console) and (code is None or killed):
        return results.OUT_OF_MEMORY
    for line in console:
        match = _PANIC.search(line)
        if match and any(reason in match[1] for reason in _DEADLOCKED):
            return results.OUT_OF_MEMORY
        if match and started:
            return results.PANIC
    if code is not None:
        return results.FINISHED
    return results.DIED if started else results.NO_BOOT


def died_of_emulation(console: list[str]) -> bool:
    """Whether a kernel fell over an int3 that it had just patched into its own text.

    qemu without KVM can let another processor run the half-patched instruction: nothing that the
    kernel did wrong, and it happens while the kernel boots.
    """
    return any("int3" in line and ("Oops" in line or "oops" in line) for line in console)
