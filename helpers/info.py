"""Decoded results: what became of a task, and what ``PIDFD_GET_INFO`` says of it."""

from __future__ import annotations

import os
import signal
from typing import NamedTuple, Union

from helpers.uapi import CoredumpMask, InfoMask, PidfdInfoStruct
from helpers.words import Named


class Exited(NamedTuple):
    """The task ended by itself with this status, 0 to 255."""

    status: int

    def __repr__(self) -> str:
        return f"Exited({self.status})"


class Killed(NamedTuple):
    """The task was ended by this signal, with or without a core dump."""

    signal: int
    core_dumped: bool = False

    def __repr__(self) -> str:
        core = ", core dumped" if self.core_dumped else ""
        return f"Killed({signal_name(self.signal)}{core})"


Outcome = Union[Exited, Killed]


def signal_name(number: int) -> str:
    """``SIGTERM`` for 15, ``SIGRTMIN+3`` for 37; the bare number where there is no name."""
    if signal.SIGRTMIN < number < signal.SIGRTMAX:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def signal_number(number: int) -> int:
    """The number, which prints as `signal_name` and its value."""
    return Named.called(signal_name(number), number)


def decode_wait_status(status: int) -> Outcome:
    """The meaning of a wait status, as ``waitpid(2)`` and ``pidfd_info.exit_code`` have it."""
    if os.WIFEXITED(status):
        return Exited(os.WEXITSTATUS(status))
    return Killed(os.WTERMSIG(status), os.WCOREDUMP(status))


def decode_waitid(result: os.waitid_result) -> Outcome:
    """The meaning of what ``waitid(2)`` says of an ended child."""
    if result.si_code == os.CLD_EXITED:
        return Exited(result.si_status)
    if result.si_code in (os.CLD_KILLED, os.CLD_DUMPED):
        return Killed(result.si_status, result.si_code == os.CLD_DUMPED)
    raise ValueError(f"not the end of a child: {result}")


_CLD_NAMES = {
    value: name for name, value in vars(os).items() if name.startswith("CLD_")
}  # fmt: skip


class Waited(NamedTuple):
    """What ``waitid(2)`` tells of a child, in the order of `os.waitid_result`."""

    pid: int
    uid: int
    signo: int
    status: int
    code: int

    def __repr__(self) -> str:
        code = _CLD_NAMES.get(self.code, f"si_code {self.code}")
        status = str(self.status) if self.code == os.CLD_EXITED else signal_name(self.status)
        who = f"pid {self.pid}, uid {self.uid}, {signal_name(self.signo)}"
        return f"Waited({who}, {code}, {status})"


class Ids(NamedTuple):
    """Real, effective, saved and filesystem ids of a task, of users or of groups."""

    real: int
    effective: int
    saved: int
    filesystem: int

    def __repr__(self) -> str:
        if len(set(self)) == 1:
            return str(self.real)
        return "/".join(f"{key} {value}" for key, value in self._asdict().items())


class PidfdInfo(NamedTuple):
    """One answer of ``PIDFD_GET_INFO``; fields that `mask` does not vouch for are None."""

    mask: InfoMask
    pid: int | None = None
    tgid: int | None = None
    ppid: int | None = None
    uids: Ids | None = None
    gids: Ids | None = None
    cgroupid: int | None = None
    exit: Outcome | None = None
    coredump: CoredumpMask | None = None
    coredump_signal: int | None = None
    coredump_code: int | None = None

    def __repr__(self) -> str:
        told = [f"{key}={value!r}" for key, value in self._asdict().items() if value is not None]
        return f"PidfdInfo({', '.join(told)})"


def _signed(word: int) -> int:
    return word - (1 << 32) if word >> 31 else word


def decode_info(raw: PidfdInfoStruct) -> PidfdInfo:
    """The meaning of a filled ``struct pidfd_info``."""
    mask = InfoMask(raw.mask)
    identity = InfoMask.PID in mask
    creds = InfoMask.CREDS in mask
    return PidfdInfo(
        mask=mask,
        pid=raw.pid if identity else None,
        tgid=raw.tgid if identity else None,
        ppid=raw.ppid if identity else None,
        uids=Ids(raw.ruid, raw.euid, raw.suid, raw.fsuid) if creds else None,
        gids=Ids(raw.rgid, raw.egid, raw.sgid, raw.fsgid) if creds else None,
        cgroupid=raw.cgroupid if InfoMask.CGROUPID in mask else None,
        exit=decode_wait_status(raw.exit_code) if InfoMask.EXIT in mask else None,
        coredump=CoredumpMask(raw.coredump_mask) if InfoMask.COREDUMP in mask else None,
        coredump_signal=signal_number(raw.coredump_signal)
        if InfoMask.COREDUMP_SIGNAL in mask
        else None,
        # An si_code, which is negative where user space sent the signal.
        coredump_code=_signed(raw.coredump_code) if InfoMask.COREDUMP_CODE in mask else None,
    )
