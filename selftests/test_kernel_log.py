"""``--watch-kernel-log``: what the kernel reports while a test runs fails the test."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from selftests.runner import Project

TESTS = """
def write(text):
    with open("/dev/kmsg", "w") as log:
        log.write(text)

def test_before(): pass
def test_warned(): write("<4>WARNING: made up by a selftest of pidfd-tests\\n")

@pytest.fixture
def ending():
    yield
    write("<4>WARNING: made up at an end\\n")

def test_ending(ending): pass
def test_chatter(): write("<6>nothing of note, says a selftest of pidfd-tests\\n")
"""


@pytest.mark.skipif(not os.access("/dev/kmsg", os.W_OK), reason="/dev/kmsg may not be written")
def test_report_fails_the_test_that_ran(project: Callable[[str], Project]) -> None:
    """And no other; what comes while a test is cleared up is that test's as well."""
    run = project(TESTS).run("--watch-kernel-log")
    assert run.passed >= {"test_before", "test_chatter"}
    assert "WARNING: made up by a selftest" in run.report("test_warned")
    assert "WARNING: made up at an end" in run.report("test_ending")
    assert run.code == 1


def test_log_that_may_not_be_read_is_a_usage_error(open_project: Callable[[str], Project]) -> None:
    """Nothing is watched in silence."""
    if os.geteuid() == 0:
        wrapper = [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "--bounding-set=-all",
        ]
    else:
        wrapper = []
    run = open_project(TESTS).run("--watch-kernel-log", "-p", "no:cacheprovider", wrapper=wrapper)
    if run.code == 1:
        pytest.skip("the kernel log is open to everyone here")
    assert run.code == 4
    assert "--watch-kernel-log: /dev/kmsg: " in run.err
