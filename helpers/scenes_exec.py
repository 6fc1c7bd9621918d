"""Scenes of races in which subthreads execute, or outlive their leader; see `helpers.scenes`."""

from __future__ import annotations

import _thread
import fcntl
import functools
import os
import signal
import time
from typing import NoReturn

from helpers import agent, procfs, syscalls
from helpers.deadline import Deadline, wait_until
from helpers.image import make_echo, make_exec_chain
from helpers.reaping import reap
from helpers.scenes import Rounds, Stage, Victim, fork
from helpers.uapi import PidfdFlag, PollEvent
from helpers.victims import Stack

_SLICES, _SLICE = 50, 0.002  # of one process, and seconds of each


def leader_exits_first(stage: Stage, flags: PidfdFlag = PidfdFlag.NONE) -> Rounds:
    """A leader exits alone and becomes a zombie while a subthread lives.

    Observers are through with a round before the subthread ends.
    """
    stack = Stack()
    while True:
        pid = fork(functools.partial(_leave_subthread, stack))
        fd = syscalls.pidfd_open(pid, flags)
        try:
            yield Victim(pid, fd)
            wait_until(functools.partial(_is_zombie, pid), "the leader's end")
            stage.jitter()
            yield 1
        finally:
            os.kill(pid, signal.SIGKILL)
            reap(pid)
            os.close(fd)


def _is_zombie(pid: int) -> bool:
    return procfs.task_state(pid) == "Z"


def _leave_subthread(stack: Stack) -> NoReturn:
    stack.sleeping_thread()
    syscalls.exit_thread(0)


def execs_of_subthreads(
    stage: Stage, leader_exits: bool = False, flags: PidfdFlag = PidfdFlag.NONE
) -> Rounds:
    """A process lives on while its subthreads execute, again and again; all of it is one life.

    The leader pauses, or exits alone. Observers are through with a round before the process ends.
    """
    image = make_exec_chain(leader_exits=leader_exits)
    if image is None:
        yield from execs_one_by_one(stage, leader_exits, flags)
        return
    told, tell = os.pipe2(os.O_CLOEXEC)
    while True:
        pid = fork(functools.partial(_begin_chain, image.fileno(), tell))
        fd = syscalls.pidfd_open(pid, flags)
        try:
            for _ in range(_SLICES):
                yield Victim(pid, fd)
                wait = Deadline()
                if not syscalls.poll({told: PollEvent.IN}, wait.left_ms())[told]:
                    raise wait.expired("an exec in a chain of them")
                time.sleep(_SLICE)
                yield len(os.read(told, 1 << 16)) // 8
        finally:
            os.kill(pid, signal.SIGKILL)  # a thread-scoped pidfd may signal an old leader
            reap(pid)
            os.close(fd)


def _begin_chain(image: int, tell: int) -> NoReturn:
    # By way of numbers above: either may stand where the other is to go.
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (tell, image)]
    for number, fd in zip((3, 4), high):
        os.dup2(fd, number)
        os.close(fd)
    os.execve(4, ["chain"], {})


def execs_one_by_one(
    stage: Stage, leader_exits: bool = False, flags: PidfdFlag = PidfdFlag.NONE
) -> Rounds:
    """The same with one exec in a life, where no image executes itself."""
    image = make_echo()
    target = image if isinstance(image, str) else image.fileno()
    while True:
        gate, opener = os.pipe2(os.O_CLOEXEC)
        told, teller = os.pipe2(os.O_CLOEXEC)
        pid = fork(functools.partial(_exec_in_thread, target, gate, leader_exits))
        os.close(teller)
        fd = syscalls.pidfd_open(pid, flags)
        try:
            yield Victim(pid, fd)
            stage.jitter()
            os.write(opener, b"g")
            os.read(told, 1)  # ends with the exec, which closes the other end
            yield 1
        finally:
            os.kill(pid, signal.SIGKILL)
            reap(pid)
            for number in (fd, gate, opener, told):
                os.close(number)


def _exec_in_thread(target: int | str, gate: int, leader_exits: bool) -> NoReturn:
    execute = syscalls.prepare_execve(target, ["cat"])
    os.dup2(gate, 0)

    def run() -> None:
        os.read(gate, 1)
        execute()

    _thread.start_new_thread(run, ())
    if leader_exits:
        syscalls.exit_thread(0)
    agent.pause()
