"""Pytest plugin: run tests against faults (``-p selftests.faults.plugin``).

``--fault=NAME`` runs the tests as they are against one fault, to see their failure texts.
``--against=SUBJECT`` runs each of the subject's faults against the tests that it is stated to
fail, ``--against=stated`` those of all subjects, and ``--against=every`` every fault against the
first parameter set of each test that is given. There a test passes when the fault fails it for a
reason of the test's own.
"""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Generator, Iterator
from typing import Any, TextIO

import pytest

from helpers import features, pins, process, records
from helpers.deadline import DeadlineExpired
from helpers.thread import ChildFailed
from selftests.faults import catalogue, expected
from selftests.faults.catalogue import FAULTS, Fault

_FAULT = pytest.StashKey[Fault]()
_loaded: Fault | None = None
_report: TextIO | None = None


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("faults", "faults between the tests and the kernel")
    group.addoption("--fault", metavar="NAME", help="the one to run the tests against")
    group.addoption(
        "--against", choices=[*catalogue.SUBJECTS, "stated", "every"], help="faults in turn"
    )
    group.addoption("--faults-report", metavar="FILE", help="where to write a line for each pair")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Refuse to run tests as if there were a fault; the kernel's own bugs are none of these."""
    name = config.getoption("fault")
    if bool(name) == bool(config.getoption("against")):
        raise pytest.UsageError("give either --fault=NAME or --against=SUBJECT")
    if name and name not in FAULTS:
        near = " or ".join(difflib.get_close_matches(name, FAULTS, 3))
        hint = f"is it {near}?" if near else "they are in selftests/faults/catalogue"
        raise pytest.UsageError(f"--fault: no fault is called {name}; {hint}")
    config.option.strict_known = True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give each item its fault, a copy of it for each."""
    global _report
    if config.getoption("faults_report"):
        _report = open(config.getoption("faults_report"), "w", encoding="utf-8")
    name, against = config.getoption("fault"), config.getoption("against")
    if name:
        for item in items:
            item.stash[_FAULT] = FAULTS[name]
    elif against == "every":
        firsts = list({pins.function(item.nodeid): item for item in items[::-1]}.values())
        items[:] = [_copy(item, fault) for fault in FAULTS.values() for item in firsts[::-1]]
    elif against:
        subjects = catalogue.SUBJECTS if against == "stated" else [against]
        items[:] = [
            it for subject in subjects for it in _stated(expected.of_subject(subject), items)
        ]


def _stated(stated: dict[str, list[str]], items: list[pytest.Item]) -> Iterator[pytest.Item]:
    for name, tests in stated.items():
        for test in tests:
            found = [item for item in items if expected.matches(test, item.nodeid)]
            if not found:
                raise pytest.UsageError(f"{name} is stated to fail {test}, which is no test")
            yield from (_copy(item, FAULTS[name]) for item in found)


def _copy(item: pytest.Item, fault: Fault) -> pytest.Item:
    assert isinstance(item, pytest.Function)
    made: pytest.Item = pytest.Function.from_parent(
        item.parent,
        name=f"{item.name} against {fault.name}",
        callspec=getattr(item, "callspec", None),
        fixtureinfo=item._fixtureinfo,
        originalname=item.originalname,
    )
    made.stash[_FAULT] = fault
    return made


def pytest_collection_finish(session: pytest.Session) -> None:
    """Probe the features on the sound kernel."""
    for item in session.items:
        for mark in item.iter_markers("needs"):
            for feature in mark.args:
                features.verdict(feature)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let all children that will be made have the fault."""
    global _loaded
    fault = item.stash[_FAULT]
    if fault != _loaded:
        process.zygote().call(catalogue.put, fault.name)
        process.zygote().drop_ahead()
        process.end_all()
        _loaded = fault


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Have the fault in the test itself, for as long as it runs."""
    records._own_cgroupid.cache_clear()
    catalogue.put(item.stash[_FAULT].name)
    try:
        yield
    finally:
        catalogue.put(None)


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, None]:
    """Turn the outcome round."""
    report = (yield).get_result()
    fault = item.stash[_FAULT]
    if item.config.getoption("fault"):
        return
    trouble = report.failed and call.when != "call"
    if report.skipped:
        verdict, why = "skipped", report.longrepr[2].removeprefix("Skipped: ")
    elif call.when == "call" or trouble:
        why = _line(call)
        verdict = "survived" if call.excinfo is None else "failed"
        if trouble or (call.excinfo and not is_of_the_test(fault, call.excinfo.value)):
            verdict = "broken"
            why = f"in {call.when}: {why}"
    else:
        return
    if _report:
        node = item.nodeid.partition(" against ")[0]
        _report.write(json.dumps([fault.name, node, verdict, why]) + "\n")
    if verdict == "failed":
        report.outcome, report.longrepr = "passed", None
    elif verdict == "survived":
        report.outcome = "failed"
        report.longrepr = f"the fault {fault.name} does not fail it: {fault.rule}"


def is_of_the_test(fault: Fault, error: BaseException) -> bool:
    """Whether a test fails by what it asserts, or by the errno of a call that it makes."""
    if isinstance(error, DeadlineExpired):
        return bool(fault.waits) and fault.waits in str(error)
    if isinstance(error, ChildFailed):
        return fault.kills
    return isinstance(error, (AssertionError, OSError))


def _line(call: pytest.CallInfo[None]) -> str:
    if call.excinfo is None:
        return ""
    return " ".join(call.excinfo.exconly(tryshort=True).split())


def pytest_unconfigure() -> None:
    """Close the report."""
    if _report:
        _report.close()
    sys.stdout.flush()
