"""The suite where something is missing: disk, standard input, network, rights, /proc."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.uapi import MACHINE
from selftests.runner import ROOT, Project, Run

GOOD = """
def test_one(child): child.spawn_thread().exec()

def test_two(child, watch):
    watcher = watch(child.pidfd())
    child.kill()
    watcher.assert_notified(PollEvent.IN)
"""


def assert_good(run: Run) -> None:
    """Both tests of `GOOD` passed, or were skipped for want of pidfds."""
    assert run.counts.get("passed") == 2, run.out + run.err
    assert run.code == 0, run.out + run.err
    assert run.err == ""


def test_full_disk_costs_no_more_than_the_cache(project: Callable[[str], Project]) -> None:
    """A warning tells of it, though all others are errors."""
    made = project(GOOD)
    disk = made.path / "disk"
    disk.mkdir()
    run = made.run_in("full-disk", str(disk), options=["-o", f"cache_dir={disk}/cache"])
    assert_good(run)
    assert "PytestCacheWarning" in run.out


def test_other_runs_clear_up_beside_this_one(project: Callable[[str], Project]) -> None:
    """Of the same user: at the end pytest removes old directories, and may come too late."""
    made = project(GOOD)
    (made.path / "late.py").write_text(
        "import pytest, warnings\n"
        "def pytest_sessionfinish():\n"
        "    warnings.warn(pytest.PytestWarning('(rm_rf) error removing /tmp/x\\nno'))\n"
    )
    run = made.run("-p", "late")
    assert (run.code, run.counts.get("passed")) == (0, 2), run.out + run.err


def test_full_directory_for_temporary_files(project: Callable[[str], Project]) -> None:
    """What children print goes to an anonymous file there."""
    made = project(GOOD)
    disk = made.path / "disk"
    disk.mkdir()
    made.settings["TMPDIR"] = str(disk)
    assert_good(made.run_in("full-disk", str(disk)))


@pytest.mark.parametrize("kind", ["file", "nothing to write"])
def test_cache_directory_that_is_none(kind: str, project: Callable[[str], Project]) -> None:
    """A file in its place, or a directory that does not take one."""
    made = project(GOOD)
    place = made.path / "place"
    if kind == "file":
        place.touch()
    else:
        place = Path("/proc/self/cache")
    assert_good(made.run("-o", f"cache_dir={place}"))


@pytest.mark.parametrize("options", [[], ["-W", "error"], ["-n", "2"]], ids=["", "-W", "-n 2"])
def test_read_only_checkout(options: list[str], project: Callable[[str], Project]) -> None:
    """Neither bytecode nor the cache can be written."""
    made = project(GOOD)
    made.settings.pop("PYTHONDONTWRITEBYTECODE")
    python = [*options, *(["-p", "no:cacheprovider"] if "-W" in options else [])]
    assert_good(made.run_in("read-only", str(made.path), options=python))


@pytest.mark.parametrize("options", [(), ("-s",)], ids=["", "-s"])
def test_closed_standard_input(options: tuple[str, ...], project: Callable[[str], Project]) -> None:
    """Its number must not be taken for something else."""
    shell = ["sh", "-c", 'exec "$@" <&-', "sh"]
    assert_good(project(GOOD).run(*options, wrapper=shell, stdin=None))


def test_pipe_for_standard_input_is_not_read(project: Callable[[str], Project]) -> None:
    """Children have an input of their own."""
    read, write = os.pipe()
    os.write(write, b"mine")
    try:
        assert_good(project(GOOD).run("-s", stdin=read))
        assert os.read(read, 10) == b"mine"
    finally:
        os.close(read)
        os.close(write)


def test_ordinary_user(open_project: Callable[[str], Project]) -> None:
    """Whom the checkout does not belong to."""
    made = open_project(GOOD)
    run = made.run_in("as-nobody", options=["-p", "no:cacheprovider"])
    assert_good(run)
    assert ", as user 65534" in run.out


def test_root_who_may_not_kill_others_ends_children_by_hanging_up(
    project: Callable[[str], Project],
) -> None:
    """A child that has become another user's, and the next ones as ever."""
    made = project(
        """
        from helpers import rights

        def test_one(child, spawn):
            child.leader.call(rights.become, rights.OTHER_USER)
            child.spawn_thread()
            other = spawn()
            other.leader.call(rights.become, rights.OTHER_USER)
            other.leader.exec()
            spawn()

        def test_two(): assert not process.zygote().strangers(procfs.children())
        """
    )
    assert_good(made.run_in("root-without", "5"))


def test_no_network(project: Callable[[str], Project]) -> None:
    """Not even a loopback device that is up."""
    assert_good(project(GOOD).run_in("without-network"))


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["", "-n 2"])
def test_no_proc_is_told_in_one_line(options: list[str], project: Callable[[str], Project]) -> None:
    """Nothing can be said of tasks without it."""
    run = project(GOOD).run_in("without-proc", options=options)
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert (run.out + run.err).strip() == (
        "ERROR: /proc is missing: mount -t proc proc /proc, and run again"
    )


def test_no_sysctls_is_told_in_one_line(project: Callable[[str], Project]) -> None:
    """Whether the kernel is tainted is asked around every test."""
    run = project(GOOD).run_in("without-sysctls")
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert (run.out + run.err).strip() == (
        "ERROR: /proc/sys is missing (CONFIG_SYSCTL, or /proc with subset=pid)"
    )


def test_python_without_assertions_is_told_in_one_line(project: Callable[[str], Project]) -> None:
    """Every test would pass."""
    run = project(GOOD).run(python=["-O"])
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert (run.out + run.err).strip() == (
        "ERROR: python -O takes the assertions away, and so the tests: run without"
    )


def test_too_few_files_are_told_in_one_line(project: Callable[[str], Project]) -> None:
    """Where not even the hard limit allows what the races hold."""
    run = project(GOOD).run(wrapper=["sh", "-c", 'ulimit -n 100 && exec "$@"', "sh"])
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert (run.out + run.err).strip() == (
        "ERROR: only 100 open files are allowed (RLIMIT_NOFILE): ulimit -Hn 1024"
    )


def test_low_soft_limit_of_files_is_raised(project: Callable[[str], Project]) -> None:
    """The hard limit is what the user may not pass."""
    assert_good(project(GOOD).run(wrapper=["sh", "-c", 'ulimit -Sn 100 && exec "$@"', "sh"]))


@pytest.mark.timeout(150)
def test_no_room_in_the_queue_of_signals() -> None:
    """Then the kernel drops the siginfo of some, and refuses real-time signals to a thread."""
    starter = (
        "import os, sys, resource as r; r.setrlimit(r.RLIMIT_SIGPENDING, (0, 0)); "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    folders = ["tests/send_signal", "tests/self_sentinels"]
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *folders]
    run = Run.of([sys.executable, "-c", starter, *words], cwd=ROOT, timeout=120)
    assert run.code == 0, run.out[-6000:] + run.err
    assert any("none of our 0 places is free" in reason for reason in run.skips)


def test_mount_point_whose_name_is_no_text(project: Callable[[str], Project]) -> None:
    """The directory of our cgroup is looked up in the list of mounts."""
    made = project("@needs(features.CGROUP)\ndef test_cgroup(): pass")
    odd = made.path / os.fsdecode(b"\r\xe9")
    odd.mkdir()
    run = made.run_in("read-only", str(odd))
    assert run.counts in ({"passed": 1}, {"skipped": 1}), run.out


@pytest.mark.parametrize("value", ["1", "2"])
def test_memory_files_that_may_not_be_executed(
    value: str, project: Callable[[str], Project]
) -> None:
    """Children execute ``cat`` instead."""
    assert_good(project(GOOD).run_in("sealed-memory", value))


@pytest.mark.skipif(MACHINE not in ("x86_64", "aarch64", "riscv64"), reason="no filter")
def test_kernel_without_unix_sockets_is_told_in_one_line(project: Callable[[str], Project]) -> None:
    """Nobody could give orders to a child."""
    run = project(GOOD).run_in("forbid", "socketpair", str(errno.EAFNOSUPPORT))
    assert run.code == pytest.ExitCode.USAGE_ERROR
    assert (run.out + run.err).strip() == (
        "ERROR: children take orders over AF_UNIX sockets, and there are none here: "
        "Address family not supported by protocol (CONFIG_UNIX, or what forbids socketpair)"
    )


@pytest.mark.skipif(MACHINE not in ("x86_64", "aarch64", "riscv64"), reason="no filter")
def test_kernel_without_pidfds_is_told_at_the_top(project: Callable[[str], Project]) -> None:
    """Before a thousand skips."""
    run = project(GOOD).run_in("forbid", "everything of pidfds", str(errno.ENOSYS))
    lines = [line for line in run.out.splitlines() if line.startswith("no pidfds")]
    assert lines == [
        "no pidfds, nearly all is skipped: pidfd_open(self, NONE) gives ENOSYS, and a seccomp "
        "filter is in force here"
    ]


@pytest.mark.parametrize("where", ["tests", "/"])
def test_any_working_directory(where: str, project: Callable[[str], Project]) -> None:
    """With the project's path as argument."""
    made = project(GOOD)
    assert_good(made.run(str(made.path), cwd=made.path / where))


def test_warnings_of_the_interpreter_are_errors(project: Callable[[str], Project]) -> None:
    """From its start to its end, in pytest and in the program of the children."""
    assert_good(project(GOOD).run("-W", "error", python=["-W", "error", "-X", "dev"]))


def test_foreign_environment_does_not_reach_children(project: Callable[[str], Project]) -> None:
    """A setting that breaks an interpreter's start breaks no child."""
    made = project(
        "def test_one(child): assert child.leader.call(os.getenv, 'PYTHONHASHSEED') is None"
    )
    made.settings["PYTHONHASHSEED"] = "7"
    made.settings["PYTHONWARNINGS"] = "error"
    run = made.run()
    assert run.counts == {"passed": 1}, run.out


def test_inherited_descriptors_are_no_fault(project: Callable[[str], Project]) -> None:
    """A runner may leave descriptors open for us."""
    shell = ["sh", "-c", 'exec 7</dev/null; exec "$@"', "sh"]
    assert_good(project(GOOD).run(wrapper=shell))


@pytest.mark.parametrize("state", ["ignored", "blocked"])
def test_inherited_state_of_signals_is_no_fault(
    state: str, project: Callable[[str], Project]
) -> None:
    """A runner may ignore signals or block them, SIGCHLD too: children begin with neither."""
    made = project(
        """
        def test_end(child):
            child.leader.exit_group(3)
            assert child.reap() == info.Exited(3)

        def test_signals(child):
            child.kill(signal.SIGUSR1)
            assert child.reap() == info.Killed(signal.SIGUSR1)
        """
    )
    assert_good(made.run_in("with-signals", state))


def test_many_descriptors_are_in_use(project: Callable[[str], Project]) -> None:
    """More than select(2) takes."""
    made = project(GOOD)
    opener = (
        "import os, sys, resource as r; hard = r.getrlimit(r.RLIMIT_NOFILE)[1]; "
        "hard > 1500 and r.setrlimit(r.RLIMIT_NOFILE, (hard, hard)); "
        "[os.set_inheritable(os.dup(0), True) for n in range(1100 if hard > 1500 else 100)]; "
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    assert_good(made.run(wrapper=[made.command()[0], "-c", opener]))


def test_output_into_a_closed_pipe_ends_the_run(project: Callable[[str], Project]) -> None:
    """As ``pytest | head -1`` has it; nothing may hang."""
    made = project(GOOD)
    command = subprocess.list2cmdline(made.command())
    run = Run.of(["sh", "-c", f"{command} | head -1"], cwd=made.path, env=made.environment())
    assert run.code == 0
    assert "Traceback" not in run.err
    assert "INTERNALERROR" not in run.err
