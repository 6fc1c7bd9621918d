"""A run that is ended from outside, in the middle of a test: nothing survives it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from helpers import procfs
from helpers.deadline import wait_until
from selftests.runner import Project

# Tells who runs, then hangs. Sessions find all: every process of a run is in that of its runner,
# or in that of a zygote, which begins its own.
BUSY = """
@pytest.fixture(params=[CloneFlag.NEWUSER | CloneFlag.NEWPID, CloneFlag.NONE])
def inner(request, spawn):
    try:
        return spawn(request.param)
    except OSError:
        return spawn()

def test_busy(child, spawn, inner):
    child.leader.fork().spawn_thread()
    inner.leader.fork()
    spawn().leader.exec()
    spawn().spawn_thread().exec()
    spawn().leader.exec_agent()
    headless = spawn()
    headless.spawn_thread()
    headless.leader.exit()
    spawn().kill(signal.SIGSTOP)
    deaf = spawn()
    deaf.leader.begin(signal.pthread_sigmask, signal.SIG_BLOCK, signal.valid_signals()).result()
    deaf.leader.begin(time.sleep, 1000)
    sessions = {os.getsid(0), os.getsid(child.pid)}
    assert procfs.task_state(headless.pid) == "Z"
    with open(f"{os.getpid()}.new", "w") as file:
        print(*sessions, file=file)
    os.rename(file.name, f"{os.getpid()}.busy")
    deaf.leader.channel.await_input(deadline.Deadline(), "the end of the world")
"""


def living(sessions: set[int]) -> set[int]:
    """Processes of these sessions but zombies, which are for somebody else to reap."""
    return {int(name) for name in os.listdir("/proc") if name.isdigit() and is_in(name, sessions)}


def is_in(pid: str, sessions: set[int]) -> bool:
    """Whether the process is in one of the sessions and one of its tasks is alive."""
    try:
        states = [procfs.task_state(int(pid), int(tid)) for tid in os.listdir(f"/proc/{pid}/task")]
        return os.getsid(int(pid)) in sessions and bool(set(states) - {"Z", "X", None})
    except OSError:
        return False


class Busy:
    """A run with all its workers inside the test that hangs."""

    def __init__(self, project: Project, workers: int) -> None:
        """Start it and wait until it is busy."""
        options = ["-n", str(workers), "--max-worker-restart=0"] if workers else []
        self.process = project.start(*options)
        self._path, self._due = project.path, max(workers, 1)
        wait_until(lambda: len(self._reports()) == self._due, "the run to be busy", state=self._say)
        told = {int(word) for file in self._reports() for word in file.read_text().split()}
        self.sessions = told | {self.process.pid}
        assert len(living(self.sessions)) >= 10 * self._due

    def _reports(self) -> list[Path]:
        if self.process.poll() is not None:
            raise AssertionError(self._say())
        return list(self._path.glob("*.busy"))

    def _say(self) -> str:
        self.process.kill()
        return self.process.communicate()[0]

    def assert_nothing_survives(self) -> str:
        """Wait for the end of all; gives what the run said."""
        wait_until(
            lambda: self.process.poll() is not None and not living(self.sessions),
            "the end of all processes of the run",
            state=self.survivors,
        )
        return self.process.communicate()[0]

    def survivors(self) -> str:
        """Those that live, in words."""
        told = (f"{pid} {procfs.status(pid)['State']}" for pid in living(self.sessions))
        return ", ".join(told)

    def end(self) -> None:
        """Leave nothing, whatever a test found."""
        for pid in living(self.sessions):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process.wait()


@pytest.fixture
def start(project: Callable[[str], Project]) -> Iterator[Callable[[int], Busy]]:
    """Start a run with so many workers of xdist, 0 for none."""
    made = []

    def make(workers: int) -> Busy:
        made.append(Busy(project(BUSY), workers))
        return made[-1]

    yield make
    for busy in made:
        busy.end()


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_survives_a_killed_runner(
    number: signal.Signals, workers: int, start: Callable[[int], Busy]
) -> None:
    """It has no chance to clean up: the kernel does, and hangups do."""
    busy = start(workers)
    began = time.monotonic()
    busy.process.send_signal(number)
    busy.assert_nothing_survives()
    assert busy.process.returncode == -number
    assert time.monotonic() - began < 5, "a worker ends with its runner, not by a timeout"


@pytest.mark.parametrize("workers", [0, 2])
def test_ctrl_c_ends_all_at_once(workers: int, start: Callable[[int], Busy]) -> None:
    """It reaches the runner and its workers; children are not of that process group."""
    busy = start(workers)
    os.killpg(busy.process.pid, signal.SIGINT)
    said = busy.assert_nothing_survives()
    assert busy.process.returncode == pytest.ExitCode.INTERRUPTED
    assert "KeyboardInterrupt" in said
    assert "Traceback" not in said
    assert "left over" not in said


def test_killed_worker_takes_its_children_along(start: Callable[[int], Busy]) -> None:
    """The run tells of the crash and ends."""
    busy = start(2)
    workers = procfs.children(busy.process.pid)
    assert len(workers) == 2
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    assert "crashed while running" in busy.assert_nothing_survives()


def test_killed_zygote_ends_its_children_and_fails_in_words(
    project: Callable[[str], Project],
) -> None:
    """Whoever killed it, the run must not hang."""
    run = project(
        """
        def test_killer(spawn):
            os.kill(process.zygote()._process.pid, signal.SIGKILL)
            for _ in range(9):  # more than are made ahead
                spawn()

        def test_next(child):
            assert child.leader.call(os.getpid) == child.pid
        """
    ).run()
    assert "the zygote ended (-9)" in run.out
    assert run.counts == {"failed": 1, "passed": 1}


def test_test_that_is_ended_while_the_zygote_works_takes_no_answer_along(
    project: Callable[[str], Project],
) -> None:
    """The answer that comes later would be taken for that to a later order."""
    run = project(
        """
        @pytest.mark.timeout(0.5, func_only=True)
        def test_slow(): process.zygote().call(time.sleep, 2)

        def test_next(child):
            assert child.leader.call(os.getpid) == child.pid
        """
    ).run()
    assert run.counts == {"failed": 1, "passed": 1}
    assert "Timeout" in run.outcome("test_slow")


def test_zygote_that_does_not_answer_in_time_fails_one_test(
    project: Callable[[str], Project],
) -> None:
    """Its answer, when it comes, would be taken for that to a later order: it is replaced."""
    run = project(
        """
        def test_slow(spawn, monkeypatch):
            monkeypatch.setattr(deadline, "_seconds", 1)  # not for the zygote that comes next
            os.kill(process.zygote()._process.pid, signal.SIGSTOP)
            for _ in range(9):  # more than are made ahead
                spawn()

        def test_next(child):
            assert child.leader.call(os.getpid) == child.pid
        """
    ).run()
    assert run.counts == {"failed": 1, "passed": 1}
    assert "in vain for the zygote to make a child" in run.out


def test_closed_terminal_is_an_end_like_any_other(start: Callable[[int], Busy]) -> None:
    """SIGHUP."""
    busy = start(0)
    busy.process.send_signal(signal.SIGHUP)
    busy.assert_nothing_survives()
    assert busy.process.returncode == -signal.SIGHUP


def test_normal_end_leaves_nothing(project: Callable[[str], Project]) -> None:
    """Neither a process nor a descriptor, also where tests fail."""
    run = project(
        """
        @pytest.mark.parametrize("n", range(4))
        def test_one(n, child, spawn):
            with open("session", "w") as file:
                print(os.getsid(child.pid), file=file)
            spawn().leader.fork()
            assert n % 2
        """
    )
    assert run.run("-W", "error").counts == {"failed": 2, "passed": 2}
    assert living({int((run.path / "session").read_text())}) == set()


def test_subprocess_here_is_not_the_reason() -> None:
    """The search finds what is there."""
    with subprocess.Popen(["sleep", "100"], start_new_session=True) as sleeper:
        assert living({sleeper.pid}) == {sleeper.pid}
        sleeper.kill()
