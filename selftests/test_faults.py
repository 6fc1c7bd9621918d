"""Every test can fail: each is failed by a fault put between it and the kernel."""

from __future__ import annotations

import pytest

from helpers import pins
from selftests.faults import catalogue, expected
from selftests.faults.__main__ import run

STATED = {subject: expected.of_subject(subject) for subject in catalogue.SUBJECTS}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("subject", catalogue.SUBJECTS)
def test_faults_fail_the_tests_that_they_must(subject: str) -> None:
    """Each by what the test asserts, or by the errno of a call that it makes."""
    stated = STATED[subject]
    found = run(subject, expected.files(stated), "--tb=short")
    assert found.code == pytest.ExitCode.OK, found.output
    unmeasured = [pair.why for pair in found.pairs if pair.verdict == "skipped"]
    if unmeasured:
        kept = len(found.pairs) - len(unmeasured)
        reasons = "; ".join(sorted(set(unmeasured)))
        pytest.skip(f"{kept} pairs hold, {len(unmeasured)} cannot be told here: {reasons}")


@pytest.mark.parametrize("subject", catalogue.SUBJECTS)
def test_tests_are_stated_for_every_fault(subject: str) -> None:
    """A fault that fails no test is none, or a test is missing."""
    faults = {name for name, fault in catalogue.FAULTS.items() if fault.subject == subject}
    assert {name for name, tests in STATED[subject].items() if tests} == faults


def test_every_test_is_failed_by_a_fault() -> None:
    """One that no fault can fail proves nothing.

    ``python -m selftests.faults TEST`` tells the faults that fail a test.
    """
    tests = [test for stated in STATED.values() for tests in stated.values() for test in tests]
    unfailed = set(expected.functions()) - set(map(pins.function, tests))
    hints = [f"python -m selftests.faults {test}" for test in sorted(unfailed)]
    assert not hints, "no fault is stated to fail these:\n" + "\n".join(hints)
