"""What a failing test says: its journal, and the reason in words."""

from __future__ import annotations

import re

import pytest

from selftests.runner import Project, Run

FAILING = """
def test_journal(child):
    child.kill()
    assert child.reap() == info.Exited(0)

def test_no_journal():
    assert 1 == 2

def test_python_error_in_a_child(child):
    child.leader.call(int, "seven")

def test_os_error_in_a_child(child):
    child.leader.call(os.close, 1000)

def test_answer_that_does_not_travel(child):
    child.leader.call(_thread.allocate_lock)

def test_child_that_dies(child):
    child.leader.call(os.abort)

def test_child_that_was_killed_before(child):
    child.kill()
    child.await_end()
    child.leader.call(os.getpid)

def test_error_printed_by_a_child(child):
    child.leader.call(os.write, 2, b"out of cheese\\n")

def test_error_in_a_child_that_ends(child):
    child.leader.call(os.write, 2, b"out of cheese\\n")
    child.leader.call(os._exit, 1)

def test_exec_that_does_not_run(child):
    child.leader.exec()
    child.kill()
    child.await_end()
    child.assert_runs()

def test_deadline(child, monkeypatch):
    monkeypatch.setattr(deadline, "_seconds", 1)  # not for the whole run: the machine may be busy
    child.leader.call(time.sleep, 100)

def test_deadline_of_a_condition():
    deadline.wait_until(lambda: False, "the sky to fall", state=lambda: "a cloud", seconds=0.01)

def test_fork_that_is_refused(spawn):
    spawn(CloneFlag.NEWUSER | CloneFlag.FS)

def test_goes_on(child):
    child.spawn_thread()
"""

TOLD = {
    "test_journal": (
        r"assert Killed\(SIGKILL\) == Exited\(0\)",
        r"- journal -",
        r"\n +0\.000 ms  test   spawned <ThreadGroup child, pid \d+>",
        r"\n +\d+\.\d{3} ms  test   kill\(child, SIGKILL\)",
        r"\n +\d+\.\d{3} ms  test   reaped child: Killed\(SIGKILL\)",
    ),
    "test_python_error_in_a_child": (
        r"ChildFailed: leader could not int\('seven'\):",
        r"ValueError: invalid literal for int\(\) with base 10: 'seven'",
    ),
    "test_os_error_in_a_child": (
        r"child.leader.call\(os.close, 1000\)\n"
        r"E +OSError: \[Errno 9\] Bad file descriptor: 'leader: close\(1000\)'",
        r"leader  close\(1000\) = EBADF",
    ),
    "test_answer_that_does_not_travel": (r"cannot pickle '_thread.lock' object",),
    "test_child_that_dies": (
        r"ChildFailed: <ThreadGroup child, pid \d+> ended while leader was to abort\(\)",
    ),
    "test_child_that_was_killed_before": (r"ended while leader was to getpid\(\)",),
    "test_error_printed_by_a_child": (r"a child failed in its own code:\nout of cheese",),
    "test_error_in_a_child_that_ends": (
        r"ended while leader was to _exit\(1\); it said:\n.*out of cheese",
    ),
    "test_exec_that_does_not_run": (r"ended while the new image was to run",),
    "test_deadline": (r"DeadlineExpired: waited 1 s in vain for leader to sleep\(100\)",),
    "test_deadline_of_a_condition": (
        r"DeadlineExpired: waited 0.01 s in vain for the sky to fall; found: a cloud",
    ),
    "test_fork_that_is_refused": (
        r"OSError: \[Errno 22\] clone\(FS\|PARENT\|NEWUSER\): Invalid argument",
    ),
}


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run of all of `FAILING`."""
    project = Project(tmp_path_factory.mktemp("failing"))
    project.write("import _thread\n" + FAILING)
    return project.run()


@pytest.mark.parametrize("test", TOLD)
def test_failure_says(test: str, failing: Run) -> None:
    """Each of the texts in `TOLD`, in the order there."""
    report = failing.report(test)
    assert re.search(".*?".join(TOLD[test]), report, re.DOTALL), report


def test_failures_are_told_as_failures(failing: Run) -> None:
    """None of them harms the tests behind it."""
    assert failing.passed == {"test_goes_on", "test_error_printed_by_a_child"}
    # What a child prints is found out when the test is over, and so are these others.
    assert failing.counts["failed"] == len(TOLD)
    assert "- journal -" not in failing.report("test_no_journal")
    assert "INTERNALERROR" not in failing.out
