"""Races about children that are killed by the last close of their pidfd; v7.1."""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import signal

from helpers import agent, syscalls, syscalls_clone
from helpers.attempts import Attempts
from helpers.autoreap import AUTOKILL
from helpers.deadline import Deadline
from helpers.race_driver import Observer
from helpers.race_observers import Refusal, Word
from helpers.reaping import reap
from helpers.scenes import Rounds, Stage, Victim
from helpers.uapi import PollEvent
from helpers.uapi_structs import CloneArgs
from helpers.victims import Stack

KILLED, LIVES_ON = Word("killed"), Word("lives on")
_HIGH = 500  # copies get numbers from here on, so that none stands where the original stood


def close_against_copies(stage: Stage) -> Rounds:
    """The pidfd is closed while observers make copies of it and close them; notes what comes."""
    while True:
        pid, fd = _start()
        monitor = syscalls.pidfd_open(pid)
        yield Victim(pid, fd)
        stage.jitter()
        os.close(fd)
        try:
            yield 1
        finally:
            stage.note(_fate(monitor))
            os.close(monitor)


def close_against_heir(stage: Stage) -> Rounds:
    """The pidfd is closed while a process that inherited it ends; notes what comes."""
    stack, cpus = Stack(), os.sched_getaffinity(os.getppid())
    while True:
        pid, fd = _start()
        monitor = syscalls.pidfd_open(pid)
        heir = stack.sleeps()
        os.sched_setaffinity(heir, cpus)
        yield Victim(pid, monitor)
        os.kill(heir, signal.SIGKILL)
        stage.jitter()
        os.close(fd)
        reap(heir)
        stage.note(_fate(monitor))
        yield 1
        os.close(monitor)


def _start() -> tuple[int, int]:
    """A child that sleeps, and its pidfd."""
    slot, maker = ctypes.c_int(-1), os.getpid()
    pid = syscalls_clone.clone3(CloneArgs(flags=AUTOKILL, pidfd=ctypes.addressof(slot)))
    if not pid:
        agent.be_child(agent.pause, maker)
    return pid, slot.value


def _fate(monitor: int) -> Word:
    """What becomes of a child whose pidfd is closed; one that lives on is ended."""
    hup = PollEvent(syscalls.poll({monitor: 0}, int(Deadline().length * 500))[monitor])
    if PollEvent.HUP in hup:
        return KILLED
    syscalls.pidfd_send_signal(monitor, signal.SIGKILL)
    return LIVES_ON


class Copy(Observer):
    """Copies the pidfd, looks whether the child lives, and closes the copy."""

    name = "poll of a copy"

    def prepare(self) -> Attempts:
        """A copy is gone when its attempt is through."""
        poller = select.poll()

        def call(fd: ctypes.c_long) -> int:
            try:
                copy = fcntl.fcntl(fd.value, fcntl.F_DUPFD_CLOEXEC, _HIGH)
            except OSError as error:
                ctypes.set_errno(error.errno or 0)
                return -1
            poller.register(copy, select.POLLIN)
            found = sum(events for _, events in poller.poll(0))
            poller.unregister(copy)
            os.close(copy)
            return found

        return Attempts("copy", call, lambda fd, _: (fd,))

    def decode(self, result: int, _answer: bytes) -> object:
        """The events, or why there was no copy."""
        return Refusal(-result) if result < 0 else PollEvent(result)
