"""One typed function per system call that the standard library lacks or narrows.

The only module that calls into libc. Every function raises ``OSError`` with the kernel's errno.
Descriptors are plain integers here on purpose: tests of wrong descriptors need numbers that the
standard library refuses before the kernel sees them.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final, NoReturn

from helpers.uapi import MACHINE, CloneFlag, Iovec, PollFd, Siginfo

# ctypes.CDLL drops the interpreter lock during a call, PyDLL would keep it: a leader that exits
# alone by `syscall(SYS_exit)` must not take the lock of its subthreads with it.
_libc: Final = ctypes.CDLL(None, use_errno=True)
_python: Final = ctypes.pythonapi

# Numbers from v5.1 on are the same everywhere but on alpha and MIPS, which add an offset.
_OFFSET: Final = {"alpha": 110, "mips": 4000, "mips64": 5000}.get(MACHINE, 0)
NR_PIDFD_SEND_SIGNAL: Final = 424 + _OFFSET
NR_PIDFD_OPEN: Final = 434 + _OFFSET
NR_CLONE3: Final = 435 + _OFFSET
NR_CLOSE_RANGE: Final = 436 + _OFFSET
NR_PIDFD_GETFD: Final = 438 + _OFFSET
NR_PROCESS_MADVISE: Final = 440 + _OFFSET
NR_PROCESS_MRELEASE: Final = 448 + _OFFSET

# Older calls have numbers of their own: exit, clone, and those in which a poller may sleep
# (poll, ppoll, epoll_wait, epoll_pwait); from scripts/syscall.tbl and arch/*/*/syscalls/*.tbl.
_GENERIC: Final = (93, 220, (73, 22))
_POWERPC: Final = (1, 120, (167, 281, 238, 303))
_NUMBERS: Final = {
    "x86_64": (60, 56, (7, 271, 232, 281)),
    "i386": (1, 120, (168, 309, 256, 319)),
    "arm": (1, 120, (168, 336, 252, 346)),
    "s390x": (1, 120, (168, 302, 251, 312)),
    "ppc64": _POWERPC,
    "ppc64le": _POWERPC,
}


def _abi() -> str:
    """The table of system calls in use: of a 32-bit interpreter on a 64-bit kernel, 32-bit."""
    if ctypes.sizeof(ctypes.c_void_p) == 8:
        return MACHINE
    return {"x86_64": "i386", "i686": "i386"}.get(MACHINE, "arm")


_NR_EXIT, _NR_CLONE, _NR_POLLS = _NUMBERS.get(_abi(), _GENERIC)
SLEEPING_IN_POLL: Final = frozenset((*_NR_POLLS, 414, 441))
"""Numbers by which ``/proc/PID/syscall`` shows a task asleep in a poll or epoll call."""

_libc.syscall.restype = ctypes.c_long


def _arg(value: int | None) -> ctypes.c_long:
    """Widen explicitly: a variadic C function reads whole registers, ctypes passes 32-bit ints."""
    return ctypes.c_long(value or 0)


def _fail() -> NoReturn:
    error = ctypes.get_errno()
    raise OSError(error, os.strerror(error))


def syscall(number: int, *args: int | None) -> int:
    """``syscall(2)`` with integer and address arguments."""
    result = int(_libc.syscall(ctypes.c_long(number), *map(_arg, args)))
    if result < 0:
        _fail()
    return result


def _check(result: int) -> int:
    if result < 0:
        _fail()
    return result


def pidfd_open(pid: int, flags: int = 0) -> int:
    """``pidfd_open(2)``, v5.3, with any flags."""
    return syscall(NR_PIDFD_OPEN, pid, flags)


def pidfd_send_signal(pidfd: int, signal: int, info: Siginfo | None = None, flags: int = 0) -> None:
    """``pidfd_send_signal(2)``, v5.1, with a siginfo and with scope flags (v6.9)."""
    address = None if info is None else ctypes.addressof(info)
    syscall(NR_PIDFD_SEND_SIGNAL, pidfd, signal, address, flags)


def pidfd_getfd(pidfd: int, target: int, flags: int = 0) -> int:
    """``pidfd_getfd(2)``, v5.6."""
    return syscall(NR_PIDFD_GETFD, pidfd, target, flags)


def process_madvise(pidfd: int, address: int, length: int, advice: int, flags: int = 0) -> int:
    """``process_madvise(2)``, v5.10, for one range; gives the number of bytes advised."""
    vector = Iovec(address, length)
    return syscall(NR_PROCESS_MADVISE, pidfd, ctypes.addressof(vector), 1, advice, flags)


def process_mrelease(pidfd: int, flags: int = 0) -> None:
    """``process_mrelease(2)``, v5.15."""
    syscall(NR_PROCESS_MRELEASE, pidfd, flags)


def setns(fd: int, kinds: int) -> None:
    """``setns(2)``; ``os.setns`` came with Python 3.12."""
    _check(int(_libc.setns(ctypes.c_int(fd), ctypes.c_int(kinds))))


def unshare(kinds: int) -> None:
    """``unshare(2)``; ``os.unshare`` came with Python 3.12."""
    _check(int(_libc.unshare(ctypes.c_int(kinds))))


def prctl(option: int, value: int) -> int:
    """``prctl(2)`` for the options that take one number."""
    return _check(int(_libc.prctl(ctypes.c_int(option), *map(_arg, (value, 0, 0, 0)))))


def ioctl(fd: int, request: int, argument: int | None = None) -> int:
    """``ioctl(2)`` with an address or number as argument; any `fd`, negative ones included."""
    return _check(int(_libc.ioctl(ctypes.c_int(fd), ctypes.c_ulong(request), _arg(argument))))


def poll(fds: dict[int, int], timeout_ms: int) -> dict[int, int]:
    """``poll(2)`` on any numbers, negative ones included; gives the events of each.

    ``timeout_ms`` is in milliseconds; -1 waits for ever.
    """
    entries = (PollFd * len(fds))(*[PollFd(fd, events, 0) for fd, events in fds.items()])
    _check(int(_libc.poll(entries, ctypes.c_ulong(len(fds)), ctypes.c_int(timeout_ms))))
    return {entry.fd: entry.revents for entry in entries}


def close_range(first: int, last: int) -> None:
    """Close every open descriptor from `first` to `last`, both included."""
    try:
        syscall(NR_CLOSE_RANGE, first, last, 0)
    except OSError:  # before v5.9, or filtered
        os.closerange(first, min(last, os.sysconf("SC_OPEN_MAX")) + 1)


def exit_thread(status: int) -> NoReturn:
    """``_exit(2)`` of the kernel: ends the calling thread alone, without libc's exit_group."""
    syscall(_NR_EXIT, status)
    raise AssertionError("the kernel returned from exit")


def fork_with(flags: int, exit_signal: int) -> int:
    """``fork(2)`` with clone `flags`: 0 in the child, its pid in the parent.

    By the old ``clone`` call, which container runtimes allow where they refuse ``clone3``. The
    interpreter is told as a fork is: both halves go on in Python. The caller must be ready to
    end the child by ``os._exit``.
    """
    # The stack comes first on s390; both are 0, and nothing behind them is used without flags.
    word = flags | exit_signal
    head = (0, word) if MACHINE.startswith("s390") else (word, 0)
    _python.PyOS_BeforeFork()
    pid = int(_libc.syscall(ctypes.c_long(_NR_CLONE), *map(_arg, (*head, 0, 0, 0))))
    if pid == 0:
        _python.PyOS_AfterFork_Child()
        return 0
    error = ctypes.get_errno()
    _python.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(error, f"clone({CloneFlag(flags)}): {os.strerror(error)}")
    return pid
