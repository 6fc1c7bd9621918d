"""What a run says of tests that are gated, in itself and behind seccomp filters."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable

import pytest

from helpers.uapi import MACHINE
from selftests.runner import ROOT, Project, Run

MADE_UP = """
def made_up(verdict, since=(3, 0)):
    return Feature("teleporting", Version(*since), lambda: verdict)

@needs(made_up(Absent("teleport() gives ENOSYS")))
def test_lost(): raise AssertionError("never reached")

@needs(made_up(Absent("teleport() gives ENOSYS"), since=(99, 0)))
def test_old(): raise AssertionError("never reached")

@needs(made_up(Forbidden("a guard")))
def test_forbidden(): raise AssertionError("never reached")

@needs(made_up(Present()))
def test_present(): pass
"""


def test_lost_feature_fails_its_tests_in_one_line(project: Callable[[str], Project]) -> None:
    """It is a failure of the test, not an error around it, and shows no code."""
    run = project(MADE_UP).run()
    assert run.counts == {"failed": 1, "skipped": 2, "passed": 1}
    assert run.outcome("test_lost").startswith(
        "failed: Failed: lost feature: teleporting is in the kernel since v3.0, and this one, v"
    )
    assert len(run.report("test_lost").strip().splitlines()) == 1
    assert run.skips == [
        "kernel lacks teleporting (since v99.0)",
        "forbidden here: teleporting: a guard",
    ]


def test_lost_feature_is_skipped_on_demand(project: Callable[[str], Project]) -> None:
    """--lost-features=skip."""
    run = project(MADE_UP).run("--lost-features=skip")
    assert run.counts == {"skipped": 3, "passed": 1}
    assert run.code == 0
    assert run.skips[0].startswith("lost feature: teleporting")


REAL = """
@needs(features.PIDFD_OPEN)
def test_open(child): child.pidfd()

@needs(features.PIDFD_THREAD)
def test_thread(child): child.pidfd(PidfdFlag.THREAD)

@needs(features.GET_INFO)
def test_info(child): child.pidfd().info()

@needs(features.INFO_EXIT)
def test_exit(child): child.pidfd().info()

@needs(features.DELAYED_LEADER)
def test_leader(child): child.pidfd(PidfdFlag.THREAD)

@needs(features.SELF_SENTINELS)
def test_self(): syscalls.pidfd_send_signal(uapi.PIDFD_SELF_THREAD, 0)

@needs(features.USER_NAMESPACE)
def test_user(spawn): spawn(CloneFlag.NEWUSER)

@needs(features.UNPRIVILEGED_PID_NAMESPACE)
def test_pid(spawn): spawn(CloneFlag.NEWUSER | CloneFlag.NEWPID)

def test_threads(child, watch): child.spawn_thread().exec()
"""


def run_forbidding(project: Project, call: str, error: int) -> Run:
    """A run under a seccomp filter that answers `call` with `error`."""
    if MACHINE not in ("x86_64", "aarch64", "riscv64"):
        pytest.skip(f"no filter is written for {MACHINE}")
    run = project.run_in("forbid", call, str(error))
    assert not run.counts.keys() & {"failed", "error"}, run.out
    assert run.code in (0, 5), run.out
    return run


@pytest.mark.parametrize(
    ("call", "about"),
    [
        ("pidfd_open", {"test_open", "test_thread", "test_info", "test_exit", "test_leader"}),
        ("pidfd_send_signal", {"test_self"}),
        ("user namespaces", {"test_user", "test_pid"}),
    ],
)
@pytest.mark.parametrize("error", [errno.EPERM, errno.ENOSYS], ids=["EPERM", "ENOSYS"])
def test_forbidden_call_skips_what_needs_it(
    call: str, about: set[str], error: int, project: Callable[[str], Project]
) -> None:
    """Whatever errno the filter makes up, the reason names it, and nothing fails."""
    run = run_forbidding(project(REAL), call, error)
    assert not about & run.passed
    assert "test_threads" in run.passed
    told = [reason for reason in run.skips if errno.errorcode[error] in reason]
    assert told, run.skips
    assert all("forbidden here: " in reason and "seccomp" in reason for reason in told)


def test_filter_that_answers_clone3_wrongly_skips_all(project: Callable[[str], Project]) -> None:
    """The C library takes EPERM for a final word, so that no thread can be made at all."""
    run = run_forbidding(project(REAL), "clone3", errno.EPERM)
    if run.counts.get("passed"):
        pytest.skip("this C library does not use clone3")
    (reason,) = set(run.skips)
    assert reason == (
        "forbidden here: threads: can't start new thread: a limit on processes, or a seccomp "
        "filter that refuses clone3(2) with another errno than ENOSYS"
    )


def test_filter_that_hides_clone3_does_no_harm(project: Callable[[str], Project]) -> None:
    """Container runtimes do that."""
    run = run_forbidding(project(REAL), "clone3", errno.ENOSYS)
    assert "test_threads" in run.passed


def test_sandbox_really_forbids() -> None:
    """Or the tests above would prove nothing."""
    code = "import os; os.close(os.pidfd_open(os.getpid()))"
    command = [sys.executable, str(ROOT / "selftests/sandbox.py"), "forbid", "pidfd_open", "13"]
    done = Run.of([*command, "--", sys.executable, "-c", code])
    assert "PermissionError: [Errno 13]" in done.err


def test_threads_that_a_c_library_does_not_make_are_not_lost(
    project: Callable[[str], Project],
) -> None:
    """The clone() of musl gives EINVAL for them, which says nothing of the kernel."""
    made = project(
        """
        import functools
        from helpers import clone, features_process

        musls = clone.thread_without_pidfd = functools.partial(os.setpriority, 99, 0, 0)  # EINVAL
        musls.__name__ = "musls"

        @needs(features_process.BARE_THREADS)
        def test_threads(): pass

        @needs(features_process.CLONE_THREAD_PIDFD)
        def test_pidfds_of_threads(): pass
        """
    )
    by = "this C library's clone() makes no threads"
    assert made.run().skips == [
        f"forbidden here: threads that run no Python: {by}",
        f"forbidden here: CLONE_PIDFD with CLONE_THREAD: {by}",
    ]
