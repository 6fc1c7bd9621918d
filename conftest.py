"""Wiring only: options, fixtures, gating, invariants."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack

import pytest

# Not as errors, to which pytest would add a traceback.
if sys.platform != "linux":
    sys.stderr.write(f"ERROR: this suite tests the Linux kernel, it cannot run on {sys.platform}\n")
    sys.exit(pytest.ExitCode.USAGE_ERROR)
if not __debug__:
    sys.stderr.write("ERROR: python -O takes the assertions away, and so the tests: run without\n")
    sys.exit(pytest.ExitCode.USAGE_ERROR)

from helpers import (
    agent,
    crash_helper,
    deadline,
    descriptor,
    differences,
    features,
    findings,
    gating,
    invariants,
    journal,
    kmsg,
    known_plugin,
    observe,
    pins,
    premises,
    process,
    race_report,
    races,
)
from helpers.model import options as model
from helpers.observe import Watcher
from helpers.process import ThreadGroup

_LOST = pytest.StashKey[str]()
_LONGEST = 1_000_000  # seconds that still fit poll(2), which takes milliseconds in an int


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= _LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0, {_LONGEST} at most")
    return value


def pytest_addoption(parser: pytest.Parser) -> None:
    """The suite's own options."""
    group = parser.getgroup("pidfd", "pidfd test suite")
    group.addoption(
        "--lost-features",
        choices=("fail", "skip"),
        default="fail",
        help="what a feature means that this kernel should have by its version, and has not "
        "(default: %(default)s)",
    )
    group.addoption(
        "--quiet-window",
        type=_positive,
        default=20.0,
        metavar="MS",
        help="milliseconds to watch on for a notification that comes late (default: %(default)g)",
    )
    group.addoption(
        "--deadline",
        type=_positive,
        default=deadline.DEFAULT_SECONDS,
        metavar="SECONDS",
        help="how long to wait for what the kernel owes before the test fails; raise it on slow "
        "machines (default: %(default)g)",
    )
    group.addoption(
        "--pins",
        metavar="DIR",
        help="fail if anything runs or is skipped that is not so in DIR's list for this kernel "
        "and user",
    )
    group.addoption(
        "--write-pins", action="store_true", help="write that list instead, to be read and kept"
    )
    group.addoption(
        "--known-issues",
        metavar="FILE",
        default="known_issues.toml",
        help="list of known kernel bugs, whose failures are expected (default: %(default)s)",
    )
    group.addoption(
        "--strict-known", action="store_true", help="let known kernel bugs fail their tests"
    )
    group.addoption(
        "--race-time",
        type=_positive,
        default=races.DEFAULT_SECONDS,
        metavar="SECONDS",
        help="how long each race lasts; raise it to hunt (default: %(default)g)",
    )
    group.addoption(
        "--race-seed",
        type=int,
        metavar="NUMBER",
        help="repeat the jitter of a race (default: another one each time)",
    )
    group.addoption(
        "--watch-kernel-log",
        action="store_true",
        help="fail a test during which the kernel log reports a warning, a bug or the like",
    )
    group.addoption(
        "--own-machine",
        action="store_true",
        help="this machine is for tests alone: they may change kernel.core_pattern for a moment",
    )
    model.add_options(group)


def pytest_configure(config: pytest.Config) -> None:
    """Apply the options, or say in one line why nothing can run here."""
    config.addinivalue_line("markers", "needs(*features): skipped or failed where one is missing")
    if obstacle := premises.missing():
        raise pytest.UsageError(obstacle)
    if hasattr(config, "workerinput"):
        agent.die_with_parent()  # a worker of xdist, or it would outlive a killed runner by 15 s
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # where it is inherited as ignored: no zombies
    deadline.set_default(config.getoption("deadline"))
    config.option.timeout = _time_limit(config)
    observe.set_quiet_window(config.getoption("quiet_window") / 1000)
    crash_helper.set_own_machine(config.getoption("own_machine"))
    race_report.register(config)
    known_plugin.register(config)
    config.pluginmanager.register(findings, "pidfd-findings")
    if config.getoption("watch_kernel_log"):
        kmsg.register(config)
    if config.getoption("pins"):
        pins.register(config, config.getoption("pins"), write=config.getoption("write_pins"))
    elif config.getoption("write_pins"):
        raise pytest.UsageError("--write-pins needs --pins=DIR to write to")


def _time_limit(config: pytest.Config) -> float:
    """How long a test may last, in seconds; for ever if 0.

    What is asked for stands, by pytest-timeout's order; else it is not over before the deadline.
    """
    asked = config.getoption("timeout")
    if asked is None:
        asked = os.environ.get("PYTEST_TIMEOUT")
    if asked is not None:
        try:
            return float(asked)
        except ValueError:
            raise pytest.UsageError(f"PYTEST_TIMEOUT: {asked!r} is no number of seconds") from None
    return float(config.getini("timeout") or 0) * max(1, deadline.slowness())


def pytest_report_header() -> list[str]:
    """Say what is tested, and whether there is anything to test."""
    user = "root" if os.geteuid() == 0 else f"user {os.geteuid()}"
    lines = [f"kernel: {os.uname().release}, {os.uname().machine}, as {user}"]
    found = features.verdict(features.PIDFD_OPEN)
    if not isinstance(found, features.Present):
        lines.append(f"no pidfds, nearly all is skipped: {found[0]}")
    return lines


def pytest_collection_finish() -> None:
    """Let a finding end at the test's own line, and spare the garbage collector what stays."""
    for name, module in sys.modules.items():
        if name.startswith("helpers."):
            vars(module).setdefault("__tracebackhide__", _is_finding)
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish() -> Generator[None, None, None]:
    """Leave nothing behind, an interrupted test included, which has no verdict."""
    yield
    _end_all()
    process.stop_zygote()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this kernel is too old for, or must not do here."""
    journal.clear()
    decision = gating.gate(item)
    if decision.fail is None:  # else it tells how the kernel answered a probe
        journal.clear()
    if decision.skip:
        pytest.skip(decision.skip)
    if decision.fail:
        item.stash[_LOST] = decision.fail
    invariants.begin()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Fail what this kernel has lost."""
    if _LOST in item.stash:
        pytest.fail(item.stash[_LOST], pytrace=False)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.CallInfo[None], None]:
    """Print the journal of a failing test."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.failed and journal.entries():
        report.sections.append(("journal", journal.render()))


def _is_finding(error: pytest.ExceptionInfo[BaseException]) -> bool:
    """Whether the kernel may have caused it, and not a mistake in a helper."""
    return error.errisinstance((AssertionError, OSError))


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Tell the parts in which two records differ."""
    return differences.explain(left, right) if op == "==" else None


def _end_all() -> None:
    with ExitStack() as undo:
        undo.callback(descriptor.close_all)
        undo.callback(process.end_all)
        undo.callback(observe.close_all)


@pytest.hookimpl(wrapper=True, trylast=True)  # inside pytest's capture, as `begin` is
def pytest_runtest_teardown() -> Generator[None, None, None]:
    """End what the test made, and fail it by name for anything else that it left."""
    try:
        yield
    finally:
        _end_all()
        left = invariants.end()
    if left:
        pytest.fail("\n".join(left), pytrace=False)


@pytest.fixture
def spawn() -> Callable[..., ThreadGroup]:
    """Make a child process that takes orders; see `helpers.process.spawn`."""
    return process.spawn


@pytest.fixture
def child() -> ThreadGroup:
    """A child process of one thread."""
    return process.spawn()


@pytest.fixture
def watch() -> Callable[..., Watcher]:
    """Put a watcher to sleep on a pidfd; see `helpers.observe.Watcher`."""
    return Watcher
