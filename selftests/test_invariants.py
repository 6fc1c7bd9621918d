"""What a test leaves behind fails that test, by name and in words."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from helpers import invariants
from helpers.invariants import Snapshot
from selftests.runner import Project, Run

LEAVERS = """
from helpers import invariants

# How long a leftover has to go is a part of it.
invariants.Deadline = lambda: deadline.Deadline(2)
def test_descriptor():
    os.dup(0)

def test_descriptor_gone():
    os.close(spare)

def test_child():
    os.posix_spawn(sys.executable, [sys.executable, "-c", "input()"], {})

def test_zombie():
    pid = os.posix_spawn(sys.executable, [sys.executable, "-S", "-c", ""], {})
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

def test_thread():
    threading.Thread(target=go.wait, daemon=True).start()

def test_ignored_signal():
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)

def test_caught_signal():
    signal.signal(signal.SIGUSR2, print)

def test_blocked_signal():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})

def test_blocked_realtime_signal():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGRTMIN + 3})

def test_failing_and_leaving():
    os.dup(0)
    assert 1 == 2

def test_after_the_thread_has_gone():
    go.set()
    deadline.wait_until(lambda: threading.active_count() == 1, "the thread to end")

def test_clean(child, watch, spawn):
    watch(child.pidfd())
    child.leader.fork()
    child.spawn_thread().exec()
    spawn().kill(signal.SIGSTOP)

def test_clean_again(child):
    signal.signal(signal.SIGUSR2, signal.SIG_DFL)
    with pytest.raises(OSError):
        child.leader.call(os.close, 1000)
    signal.signal(signal.SIGUSR2, print)

spare = os.dup(0)
go = threading.Event()
"""

LEFT = {
    "test_descriptor": r"left over in descriptors: \d+ -> /dev/null",
    "test_descriptor_gone": r"gone from descriptors: \d+ -> /dev/null",
    "test_child": r"left over in children: pid \d+",
    "test_zombie": r"left over in children: pid \d+",
    "test_thread": r"left over in threads: tid \d+",
    "test_ignored_signal": "left over in signals: SIGUSR1 ignored",
    "test_caught_signal": "left over in signals: SIGUSR2 caught",
    "test_blocked_signal": "left over in signals: SIGHUP blocked",
    "test_blocked_realtime_signal": r"left over in signals: SIGRTMIN\+3 blocked",
    "test_failing_and_leaving": r"left over in descriptors: \d+ -> /dev/null",
}


@pytest.fixture(scope="module")
def leavers(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run of all of `LEAVERS`."""
    project = Project(tmp_path_factory.mktemp("leavers"))
    project.write(LEAVERS)
    return project.run()


@pytest.mark.parametrize("test", LEFT)
def test_leftover_is_told_by_the_test_that_left_it(test: str, leavers: Run) -> None:
    """One line says what it is."""
    assert re.fullmatch(f"error: Failed: {LEFT[test]}", leavers.outcome(test, "ERROR"))


def test_nothing_else_is_told(leavers: Run) -> None:
    """Clean tests pass, also behind those that are not, and a failing test keeps its failure."""
    clean = len(re.findall("def test_", LEAVERS)) - len(LEFT)
    assert leavers.counts == {"error": len(LEFT), "failed": 1, "passed": len(LEFT) - 1 + clean}
    assert "assert 1 == 2" in leavers.report("test_failing_and_leaving")
    assert "contextlib" not in leavers.out


MOUNTER = """
def test_mount():
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mount(b"pidfd-mount", b"/mnt", b"tmpfs", 0, None) == 0
"""


def test_mount_is_told(project: Callable[[str], Project]) -> None:
    """In a mount namespace of its own, for the sake of this machine."""
    run = project(MOUNTER).run_in("own-mounts")
    assert "left over in mounts: " in run.outcome("test_mount", "ERROR")
    assert "/mnt" in run.outcome("test_mount", "ERROR")


CLEAN = Snapshot(frozenset(), frozenset(), frozenset(), b"", (0, 0, 0), b"0\n")


def test_taint_that_a_test_brings_is_told() -> None:
    """A warning or an oops of the kernel in the middle of a test is that test's finding."""
    assert invariants.differences(CLEAN, CLEAN._replace(taint=b"512\n")) == [
        "left over in taint: 512",
        "gone from taint: 0",
    ]


def test_all_differences_are_told_at_once() -> None:
    """Each in a line of its own."""
    after = CLEAN._replace(threads=frozenset({"2", "1"}), signals=(1, 0, 0))
    assert invariants.differences(CLEAN, after) == [
        "left over in threads: tid 1",
        "left over in threads: tid 2",
        "left over in signals: SIGHUP blocked",
    ]


def test_end_of_what_an_earlier_test_left_is_no_fault() -> None:
    """That test has told of it."""
    before = CLEAN._replace(threads=frozenset({"2"}), children=frozenset({3}))
    assert invariants.differences(before, CLEAN) == []
