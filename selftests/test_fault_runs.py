"""How faults are put between the tests and the kernel, and what counts as a failure by one."""

from __future__ import annotations

import errno
import os
import pickle
import sys
from typing import Any

import pytest

from helpers import procfs, syscalls
from helpers.deadline import DeadlineExpired
from helpers.expect import refused
from helpers.process import spawn
from helpers.thread import ChildFailed
from helpers.uapi import P_PIDFD
from selftests.faults import boundary, catalogue, expected
from selftests.faults.__main__ import main, run, table
from selftests.faults.plugin import is_of_the_test
from selftests.faults.registry import Fault
from selftests.runner import ROOT, Run

FLAGS = "tests/open/test_open.py::test_the_flags_asked_for_show_as_status_flags"
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider")


def test_broken_function_is_the_same_and_is_mended() -> None:
    """Whoever has imported it before has the fault too, and can still send it to a child."""
    held = syscalls.pidfd_open
    boundary.swap_errno("pidfd_open", errno.ESRCH, errno.EIO)
    with refused(errno.EIO):
        held((1 << 22) + 1)
    assert pickle.loads(pickle.dumps(held)) is held is syscalls.pidfd_open
    boundary.mend()
    with refused(errno.ESRCH):
        held((1 << 22) + 1)


def test_several_faults_of_one_function_add_up() -> None:
    """Each is given the one before as the real function."""
    boundary.swap_errno("pidfd_open", errno.ESRCH, errno.EIO)
    boundary.swap_errno("pidfd_open", errno.EIO, errno.EFAULT)
    with refused(errno.EFAULT):
        syscalls.pidfd_open((1 << 22) + 1)
    boundary.mend()
    with refused(errno.ESRCH):
        syscalls.pidfd_open((1 << 22) + 1)


def test_function_of_the_library_is_broken_and_mended() -> None:
    """It travels by its public name, as the real one does."""
    real = os.fstat
    boundary.wrap("os.fstat", lambda real, fd: boundary.fail(errno.EIO))
    with refused(errno.EIO):
        os.fstat(0)
    assert pickle.loads(pickle.dumps(os.fstat)) is os.fstat
    boundary.mend()
    assert os.fstat is real


def _state() -> dict[str, object]:
    """All that a fault may take the place of: what has a name, and the code of functions."""
    helpers = {name: it for name, it in sys.modules.items() if name.startswith("helpers.")}
    return {
        f"{place}.{name}": (it, getattr(it, "__code__", None))
        for place, owner in {**helpers, **boundary._PLACES}.items()
        for name, it in vars(owner).items()
        if not name.startswith("_fault_")
    }


def test_every_fault_leaves_no_trace() -> None:
    """What was put is taken away, to the last function."""
    before, descriptors = _state(), procfs.own_descriptors()
    for name in catalogue.FAULTS:
        catalogue.put(name)
    catalogue.put(None)
    assert _state() == before
    assert procfs.own_descriptors() == descriptors


def test_kernel_is_sound_without_a_fault() -> None:
    """The control of all the above: a child, its end, and its pidfd."""
    child = spawn()
    with child.pidfd() as pidfd:
        assert syscalls.waitid(P_PIDFD, pidfd.fileno(), os.WEXITED | os.WNOHANG) is None
    child.kill()
    child.reap()


@pytest.mark.parametrize(
    ("fault", "error", "counts"),
    [
        pytest.param({}, AssertionError("1 != 2"), True, id="assertion"),
        pytest.param({}, OSError(errno.ESRCH, ""), True, id="errno"),
        pytest.param({}, TypeError("of the fault's own"), False, id="mistake"),
        pytest.param({}, DeadlineExpired("in vain for the end"), False, id="deadline"),
        pytest.param({"waits": "the end"}, DeadlineExpired("for the end"), True, id="due wait"),
        pytest.param({"waits": "the end"}, DeadlineExpired("a child"), False, id="other wait"),
        pytest.param({}, ChildFailed("is gone"), False, id="lost child"),
        pytest.param({"kills": True}, ChildFailed("is gone"), True, id="killed child"),
    ],
)
def test_failure_counts_if_it_is_the_tests_own(
    fault: dict[str, Any], error: Exception, counts: bool
) -> None:
    """Not a mistake in the fault, and no wait in vain that the fault does not mean."""
    made = Fault("name", "rule", "subject", lambda: None)._replace(**fault)
    assert is_of_the_test(made, error) is counts


@pytest.mark.parametrize(
    ("stated", "node", "matches"),
    [
        ("tests/a.py::test_a", "tests/a.py::test_a", True),
        ("tests/a.py::test_a", "tests/a.py::test_a[one]", True),
        ("tests/a.py::test_a", "tests/a.py::test_ab", False),
        ("tests/a.py::test_a[one-*]", "tests/a.py::test_a[one-two]", True),
        ("tests/a.py::test_a[one-*]", "tests/a.py::test_a[two-one]", False),
        ("tests/a.py::test_a[-1]", "tests/a.py::test_a[-1]", True),
        ("tests/a.py::test_a[-1]", "tests/a.py::test_a", False),
    ],
)
def test_stated_tests_are_found(stated: str, node: str, matches: bool) -> None:
    """A function is all its parameter sets, brackets name some of them."""
    assert expected.matches(stated, node) is matches


def test_survivor_and_failure_are_told_apart() -> None:
    """Of all faults only the one that breaks the rule fails the test, and it is named."""
    found = run("every", [FLAGS], "--tb=no")
    failed = [pair.fault for pair in found.pairs if pair.verdict == "failed"]
    assert failed == ["status_flag_of_nobodys_asking"]
    assert {pair.verdict for pair in found.pairs} == {"failed", "survived"}
    assert len(found.pairs) == len(catalogue.FAULTS)
    assert found.code == pytest.ExitCode.TESTS_FAILED
    head, line = table(found.pairs).splitlines()
    assert head == f"{FLAGS}[no flags]"
    assert line == "  status_flag_of_nobodys_asking: assert RDWR|APPEND == RDWR"


def test_command_says_that_it_found_no_test(capsys: pytest.CaptureFixture[str]) -> None:
    """With what pytest said."""
    assert main(["tests/no_such.py"]) == 2
    assert "no_such.py" in capsys.readouterr().err


def with_fault(name: str, test: str) -> Run:
    """One test against one fault, as a user runs it."""
    return Run.of([*PYTEST, "-p", "selftests.faults.plugin", f"--fault={name}", test], cwd=ROOT)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("pidfd_kept_on_exit", "is it pidfd_kept_on_exec"),
        ("42", "they are in selftests/faults/catalogue"),
    ],
)
def test_fault_that_is_none_is_refused_in_one_line(name: str, hint: str) -> None:
    """With what may have been meant."""
    found = with_fault(name, FLAGS)
    assert found.code == pytest.ExitCode.USAGE_ERROR
    assert found.err.startswith(f"ERROR: --fault: no fault is called {name}; {hint}")
    assert len(found.err.split()) < 20


def test_known_bug_of_the_kernel_excuses_nothing_beside_a_fault() -> None:
    """Where a test passes or fails, the fault is to be the reason."""
    known = "tests/sockets/test_named_sender.py::test_subthread_is_not_taken_for_a_process"
    sound = Run.of([*PYTEST, known], cwd=ROOT)
    if sound.counts in ({"passed": 1}, {"skipped": 1}):
        pytest.skip("this kernel has not the bug, or lacks what it is about")
    assert sound.counts == {"xfailed": 1}, sound.out + sound.err
    found = with_fault("no_hangup", known)
    assert found.counts == {"failed": 1}, found.out + found.err
