"""Children under remote control: answers, errors, descriptors, ends and exec."""

from __future__ import annotations

import _thread
import errno
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers import agent, features, image, process, procfs, uapi
from helpers.deadline import Deadline, wait_until
from helpers.descriptor import open_file
from helpers.expect import refused
from helpers.gating import needs
from helpers.info import Exited, Killed
from helpers.process import ThreadGroup
from helpers.thread import ChildFailed
from helpers.uapi import CloneFlag
from helpers.wire import Channel

Spawn = Callable[..., ThreadGroup]


def descriptors(pid: int) -> int:
    """How many descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_child_is_ours_and_answers(child: ThreadGroup) -> None:
    """The test, not the zygote, is its parent."""
    assert child.leader.call(os.getpid) == child.pid
    assert child.leader.call(os.getppid) == os.getpid()


def test_error_of_the_kernel_comes_back_with_its_errno(child: ThreadGroup) -> None:
    """As the exception it was, and the child goes on."""
    with pytest.raises(FileNotFoundError) as caught:
        child.leader.call(os.stat, "/nonexistent")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, "/nonexistent")
    assert child.leader.call(os.getpid) == child.pid


def test_answer_that_does_not_travel_is_told_and_no_end(child: ThreadGroup) -> None:
    """A lock, say; the next order is carried out."""
    with pytest.raises(ChildFailed, match="cannot pickle"):
        child.leader.call(socket.socket)
    assert child.leader.call(os.getpid) == child.pid


def test_order_that_does_not_travel_is_an_error_here(child: ThreadGroup) -> None:
    """Nothing was sent, so the next answer is that of the next order."""
    with pytest.raises(Exception, match=r"pickle|local object"):
        child.leader.call(lambda: None)
    assert child.leader.call(os.getpid) == child.pid


def test_python_error_comes_back_as_a_traceback(child: ThreadGroup) -> None:
    """With the line that failed."""
    with pytest.raises(ChildFailed, match=r"(?s)leader could not int\('x'\):\n.*ValueError"):
        child.leader.call(int, "x")


def test_descriptors_travel_there_and_are_closed_after_the_order(child: ThreadGroup) -> None:
    """The child gets a duplicate, and none stays with it."""
    ours, theirs = Channel.pair()
    before = descriptors(child.pid)
    for _ in range(3):
        child.leader.call(Channel.send_raw, theirs, b"hello")
        assert ours.receive_raw(Deadline(), "the bytes") == b"hello"
    assert descriptors(child.pid) == before


def test_descriptors_travel_back_and_end_with_the_test(child: ThreadGroup) -> None:
    """Nothing stays open in the child, and the duplicate here closes on exec."""
    before = descriptors(child.pid)
    found = child.leader.call(open_file, f"/proc/{os.getpid()}/stat")
    assert os.read(found.fileno(), 100).startswith(f"{os.getpid()} ".encode())
    assert not os.get_inheritable(found.fileno())
    wait_until(lambda: descriptors(child.pid) in (before, before + 1), "the child to close it")


def test_children_inherit_no_descriptor(child: ThreadGroup) -> None:
    """Standard three, image and channel; nothing of the test, nothing of other children."""
    with open_file("/dev/null"):
        names = set(os.listdir(f"/proc/{child.pid}/fd"))
    assert len(names) <= 5
    grandchild = child.leader.fork()
    assert descriptors(grandchild.pid) <= 5


def test_threads_take_orders_at_the_same_time(child: ThreadGroup) -> None:
    """Each has its own channel; a sleeping one holds up nobody."""
    sleeper, other = child.spawn_thread(), child.spawn_thread()
    order = sleeper.begin(time.sleep, 1000)
    assert other.call(_thread.get_native_id) == other.tid
    assert child.leader.call(_thread.get_native_id) == child.pid
    assert not order.done()


def test_thread_exits_alone(child: ThreadGroup) -> None:
    """The others go on."""
    thread = child.spawn_thread()
    thread.exit(3)
    assert procfs.task_state(child.pid, thread.tid) is None
    assert child.leader.call(os.getpid) == child.pid


def test_leader_exits_alone(child: ThreadGroup) -> None:
    """It is a zombie until the last subthread ends, and that one's status counts."""
    thread = child.spawn_thread()
    child.leader.exit(3)
    assert procfs.task_state(child.pid) == "Z"
    assert thread.call(os.getpid) == child.pid
    thread.exit_group(7)
    assert child.reap() == Exited(7)


@pytest.mark.parametrize("maker", ["leader", "subthread"])
def test_echo_image_runs_and_ends_when_let_go(maker: str, child: ThreadGroup) -> None:
    """It takes over the group, and ends with status 0 once its beacon is closed."""
    thread = child.leader if maker == "leader" else child.spawn_thread()
    thread.exec()
    child.assert_runs()
    child.assert_runs()
    assert os.listdir(f"/proc/{child.pid}/task") == [str(child.pid)]
    assert child.beacon is not None
    child.beacon.close()
    for each in child.threads:
        each.channel.close()
    assert child.reap() == Exited(0)


def test_new_agent_takes_orders(child: ThreadGroup) -> None:
    """It makes threads and executes again."""
    child.spawn_thread().exec_agent()
    assert child.leader.call(os.getpid) == child.pid
    child.leader.exec_agent()
    assert child.spawn_thread().call(os.getpid) == child.pid


@pytest.mark.parametrize(
    ("mode", "error"), [(None, errno.ENOENT), (0o644, errno.EACCES), (0o755, errno.ENOEXEC)]
)
def test_failed_exec_is_raised_and_the_child_goes_on(
    mode: int | None, error: int, child: ThreadGroup, tmp_path: Path
) -> None:
    """All its threads do."""
    path = tmp_path / "program"
    if mode is not None:
        path.write_bytes(b"\0")
        path.chmod(mode)
    thread = child.spawn_thread()
    with refused(error):
        thread.call(agent.exec_path, str(path))
    assert thread.call(os.getpid) == child.leader.call(os.getpid) == child.pid


def test_grandchild_is_its_makers_child(child: ThreadGroup) -> None:
    """Which reaps it; its pid is as our own namespace has it."""
    grandchild = child.leader.fork()
    assert procfs.status(grandchild.pid)["PPid"] == str(child.pid)
    grandchild.kill(signal.SIGTERM)
    assert grandchild.reap() == Killed(signal.SIGTERM)


@needs(features.UNPRIVILEGED_PID_NAMESPACE)
@pytest.mark.parametrize("made_by", ["spawn", "fork"])
def test_child_in_a_pid_namespace_has_our_number(
    made_by: str, child: ThreadGroup, spawn: Spawn
) -> None:
    """It knows itself as 1; we know it, and its threads, by ours."""
    flags = CloneFlag.NEWUSER | CloneFlag.NEWPID
    inner = spawn(flags) if made_by == "spawn" else child.leader.fork(flags)
    assert inner.leader.call(os.getpid) == 1
    assert procfs.status(inner.pid)["NSpid"].split()[-1] == "1"
    thread = inner.spawn_thread()
    assert procfs.status(inner.pid, thread.tid)["NSpid"].split()[0] == str(thread.tid)
    deeper = inner.leader.fork()
    assert procfs.status(deeper.pid)["PPid"] == str(inner.pid)


def test_signals_have_their_defaults_in_children(child: ThreadGroup) -> None:
    """Nothing blocked, SIGINT deadly, though pytest handles it."""
    assert int(procfs.status(child.pid)["SigBlk"], 16) == 0
    child.kill(signal.SIGINT)
    assert child.reap() == Killed(signal.SIGINT)


def test_children_end_when_the_test_lets_go(child: ThreadGroup) -> None:
    """A hangup is the order to end."""
    child.leader.channel.close()
    assert child.reap() == Exited(0)


def test_end_all_ends_what_is_stopped(spawn: Spawn) -> None:
    """And leaves a second call nothing to do."""
    stopped = spawn()
    stopped.kill(signal.SIGSTOP)
    wait_until(lambda: procfs.task_state(stopped.pid) == "T", "the stop")
    process.end_all()
    process.end_all()
    assert procfs.task_state(stopped.pid) is None


@pytest.mark.parametrize("kind", ["own code", "cat"])
def test_image_echoes_and_ends_at_the_end_of_its_input(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run by itself: our own code where there is some for this machine, and ``cat``."""
    if kind == "cat":
        monkeypatch.setattr(image, "ABI", "nowhere")
    made = image.make_echo()
    assert isinstance(made, str) == (kind == "cat" or uapi.ABI not in image._CODE)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        path = made if isinstance(made, str) else f"/proc/self/fd/{made.fileno()}"
        copies = [(os.POSIX_SPAWN_DUP2, theirs.fileno(), number) for number in (0, 1)]
        pid = os.posix_spawn(path, ["cat"], {}, file_actions=copies)
        for word in (b"one", b"two"):
            ours.sendall(word)
            assert ours.recv(10) == word
        ours.shutdown(socket.SHUT_WR)
        assert os.waitpid(pid, 0) == (pid, 0)


def test_machine_without_any_image_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a failure in the middle of a test that has other things to tell."""
    monkeypatch.setattr(image, "ABI", "nowhere")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(FileNotFoundError, match="`cat` is not on the PATH"):
        image.make_echo()


@pytest.mark.parametrize("call", ["memfd_create", "fchmod"])
def test_memory_that_must_not_be_executed_makes_way_for_cat(
    call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``vm.memfd_noexec`` at its strictest refuses to make it, and else to let it be executed."""

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "no")

    monkeypatch.setattr(os, call, refuse)
    assert image.make_echo() == shutil.which("cat")


def test_agents_import_no_more_than_they_need() -> None:
    """What the zygote imports is paid for by every fork."""
    *command, code = agent.interpreter("start", 0, 1.0)
    code = code.replace("start(0, 1.0)", "print(*sys.modules)")
    said = subprocess.run([*command, code], capture_output=True, text=True, check=True).stdout
    assert "helpers.agent" in said.split()
    assert not set(said.split()) & {"pytest", "asyncio", "subprocess", "threading", "logging"}


def test_children_have_the_deadline_of_the_run(child: ThreadGroup) -> None:
    """What they wait for is as slow as all else."""
    assert child.leader.call(Deadline).length == Deadline().length


def test_message_that_is_too_long_is_told(child: ThreadGroup) -> None:
    """Instead of one that is cut off."""
    with pytest.raises(ChildFailed, match=r"7\d+ bytes are too many for one message"):
        child.leader.call(bytes, 70_000)


def test_deadline_names_who_owes_what(child: ThreadGroup) -> None:
    """Thread and order."""
    order = child.leader.begin(time.sleep, 1000)
    with pytest.raises(AssertionError, match=r"waited 0\.01 s in vain for leader"):
        child.leader.channel.await_input(Deadline(0.01), f"{child.leader}")
    assert not order.done()
