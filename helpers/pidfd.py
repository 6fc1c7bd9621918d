"""`Pidfd`: one pidfd and everything that can be asked of it."""

from __future__ import annotations

import ctypes
import os

from helpers import journal, syscalls
from helpers.descriptor import Descriptor
from helpers.info import Outcome, PidfdInfo, Waited, decode_info, decode_waitid, signal_name
from helpers.uapi import (
    P_PIDFD,
    UINT_MAX,
    InfoMask,
    PidfdFlag,
    PidfdInfoStruct,
    PollEvent,
    SignalFlag,
    WaitOption,
    pidfd_get_info,
)
from helpers.words import errno_name


class Pidfd(Descriptor):
    """Owns one pidfd; every answer it gives is noted in the journal under its role."""

    def __init__(
        self, fd: int, role: str = "pidfd", pid: int = 0, flags: PidfdFlag = PidfdFlag.NONE
    ) -> None:
        """Take `fd` over; `pid` and `flags`, where known, are for failure texts."""
        super().__init__(fd, role)
        self.pid = pid
        self.flags = flags

    @classmethod
    def open(cls, pid: int, flags: PidfdFlag = PidfdFlag.NONE, role: str = "pidfd") -> Pidfd:
        """``pidfd_open(2)``; `pid` is a thread id with `PidfdFlag.THREAD`, else a leader's."""
        return cls(syscalls.pidfd_open(pid, flags), role, pid, flags)

    def info(self, mask: InfoMask = InfoMask.NONE) -> PidfdInfo:
        """``PIDFD_GET_INFO`` asking for `mask`, in a structure of v7.1; `raw_info` has others."""
        raw = PidfdInfoStruct(mask=mask)
        try:
            self._get_info(raw)
        except OSError as error:
            journal.record(self, f"PIDFD_GET_INFO({mask}) = {errno_name(error.errno)}")
            raise
        answer = decode_info(raw)
        journal.record(self, f"PIDFD_GET_INFO({mask}) = {answer!r}")
        return answer

    def _get_info(self, raw: PidfdInfoStruct) -> None:
        syscalls.ioctl(self.fileno(), pidfd_get_info(), ctypes.addressof(raw))

    def poll(self, timeout_ms: int = 0, asked: PollEvent = PollEvent.IN) -> PollEvent:
        """What ``poll(2)`` says within `timeout_ms` milliseconds, asked for `asked`."""
        fd = self.fileno()
        events = PollEvent(syscalls.poll({fd: asked}, timeout_ms)[fd])
        journal.record(self, f"poll({timeout_ms} ms) = {events}")
        return events

    def send_signal(self, signal: int, flags: SignalFlag = SignalFlag.NONE) -> None:
        """``pidfd_send_signal(2)`` with the kernel's own siginfo; `signal` 0 only asks."""
        scope = f" [{flags}]" if flags else ""
        journal.record(self, f"pidfd_send_signal({signal_name(signal)}){scope}")
        syscalls.pidfd_send_signal(self.fileno(), signal, None, flags)

    def waitid(self, options: int) -> os.waitid_result | None:
        """``waitid(P_PIDFD)``; None where WNOHANG found nothing."""
        call = f"waitid({WaitOption(options & UINT_MAX)})"
        try:
            result = syscalls.waitid(P_PIDFD, self.fileno(), options)
        except OSError as error:
            journal.record(self, f"{call} = {errno_name(error.errno)}")
            raise
        journal.record(self, f"{call} = {result and Waited(*result)}")
        return result

    def peek(self) -> Outcome | None:
        """What ``waitid(WNOWAIT | WNOHANG)`` says: the end to be reaped, None if none yet."""
        result = self.waitid(os.WEXITED | os.WNOWAIT | os.WNOHANG)
        return None if result is None else decode_waitid(result)

    def travel(self) -> tuple[object, ...]:
        """See `Descriptor.travel`."""
        return (self.role, self.pid, self.flags)

    def __str__(self) -> str:
        return f"{self.role} pidfd"

    def __repr__(self) -> str:
        scope = "thread-scoped" if PidfdFlag.THREAD in self.flags else "process-scoped"
        closed = ", closed" if self._fd < 0 else ""
        return f"<Pidfd {self.role}, {scope}, pid {self.pid or 'unknown'}{closed}>"
