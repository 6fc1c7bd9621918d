"""``--watch-kernel-log``: what the kernel reports while a test runs fails the test."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.kmsg import MARK, KernelLog, Record, decode
from selftests.runner import Project

needs_log = pytest.mark.skipif(
    os.geteuid() != 0 or not os.access("/dev/kmsg", os.W_OK), reason="/dev/kmsg may not be written"
)

TESTS = """
from helpers import kmsg

records, read = [], kmsg.read_record
kmsg.read_record = lambda fd: records.pop(0) if records else read(fd)

def kernel_says(text):  # which no program can, by the log itself
    records.append(f"4,1,1,-;{text}\\n".encode())

def test_before(): pass
def test_warned(): kernel_says("WARNING: made up by a selftest of pidfd-tests")

@pytest.fixture
def ending():
    yield
    kernel_says("WARNING: made up at an end")

def test_ending(ending): pass
def test_chatter(): kernel_says("nothing of note, says a selftest of pidfd-tests")

def test_of_a_program():
    with open("/dev/kmsg", "w") as log:
        log.write("<4>WARNING: a program says, for a selftest of pidfd-tests\\n")
"""


@needs_log
def test_report_fails_the_test_that_ran(project: Callable[[str], Project]) -> None:
    """And no other; what comes while a test is cleared up is that test's as well.

    What a program writes into the log is no report, whatever it says.
    """
    run = project(TESTS).run("--watch-kernel-log")
    assert run.counts == {"passed": 5, "error": 2}  # a test passes, and errs at its end
    assert "WARNING: made up by a selftest" in run.report("test_warned")
    assert "WARNING: made up at an end" in run.report("test_ending")
    assert run.code == 1


@pytest.mark.parametrize(
    ("record", "due"),
    [
        (b"4,1,1,-;WARNING: x\n SUBSYSTEM=y\n", Record("WARNING: x", of_kernel=True)),
        (b"12,1,1,-,caller=T1;a;b\n", Record("a;b", of_kernel=False)),
    ],
)
def test_a_record_tells_whose_it_is(record: bytes, due: Record) -> None:
    """By its facility, which is 0 for the kernel alone."""
    assert decode(record) == due


@needs_log
def test_every_test_leaves_its_mark(project: Callable[[str], Project]) -> None:
    """However fast they come: the last is what a panic would leave."""
    log = KernelLog()
    try:
        made = project("@pytest.mark.parametrize('n', range(30))\ndef test_one(n): pass")
        assert made.run("--watch-kernel-log").counts == {"passed": 30}
        texts = [record.text for record in log.new()]
    finally:
        log.close()
    marks = [text for text in texts if text.startswith(f"{MARK}tests/test_scratch.py::test_one[")]
    assert len(marks) == 30


def test_log_that_may_not_be_read_is_a_usage_error(open_project: Callable[[str], Project]) -> None:
    """Nothing is watched in silence."""
    if Path("/proc/sys/kernel/dmesg_restrict").read_text(encoding="ascii").strip() == "0":
        pytest.skip("the kernel log is open to everyone here")
    options = ["--watch-kernel-log", "-p", "no:cacheprovider"]
    run = open_project(TESTS).run_in("as-nobody", options=options)
    assert run.code == 4
    assert "--watch-kernel-log: /dev/kmsg: " in run.err
