"""System calls that make tasks; an annexe to `helpers.syscalls`."""

from __future__ import annotations

import ctypes
import os
from typing import Final

from helpers.syscalls import NR_CLONE3, NUMBERS, _arg, _check, _libc
from helpers.uapi import MACHINE, CloneFlag
from helpers.uapi_structs import CloneArgs

_python: Final = ctypes.pythonapi
# A fork must keep the lock: taken by another thread in the meantime, it is never released in the
# child, where that thread is not.
_locked_libc: Final = ctypes.PyDLL(None, use_errno=True)
_locked_libc.syscall.restype = ctypes.c_long


def fork_with(flags: int, exit_signal: int) -> int:
    """``fork(2)`` with clone `flags`: 0 in the child, its pid in the parent.

    By the old ``clone`` call, which container runtimes allow where they refuse ``clone3``. The
    interpreter is told as a fork is: both halves go on in Python. The caller must be ready to
    end the child by ``os._exit``.
    """
    return _fork_by(NUMBERS.clone, *_clone_words(flags, exit_signal), 0, 0, 0, flags=flags)


def fork_with_pidfd(flags: int, exit_signal: int) -> tuple[int, int]:
    """`fork_with` that gives a pidfd of the child too, -1 if `flags` ask for none.

    The old call has no argument of its own for it: it is stored where the tid would be.
    """
    pidfd = ctypes.c_int(-1)
    words = (*_clone_words(flags, exit_signal), ctypes.addressof(pidfd), 0, 0)
    return _fork_by(NUMBERS.clone, *words, flags=flags), pidfd.value


def clone3(args: CloneArgs) -> int:
    """``clone3(2)``, v5.3, without a new stack: otherwise as `fork_with`."""
    words = (ctypes.addressof(args), ctypes.sizeof(args))
    return _fork_by(NR_CLONE3, *words, flags=args.flags)


def _clone_words(flags: int, exit_signal: int) -> tuple[int, int]:
    # The stack comes first on s390; it is 0, and nothing behind it is used without flags.
    word = flags | exit_signal
    return (0, word) if MACHINE.startswith("s390") else (word, 0)


def _fork_by(number: int, *words: int, flags: int) -> int:
    _python.PyOS_BeforeFork()
    pid = int(_locked_libc.syscall(ctypes.c_long(number), *map(_arg, words)))
    if pid == 0:
        _python.PyOS_AfterFork_Child()
        return 0
    error = ctypes.get_errno()
    _python.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(error, f"clone({CloneFlag(flags)}): {os.strerror(error)}")
    return pid


def start(
    entry: str | int, argument: int, flags: int, stack_top: int, exit_signal: int = 0
) -> tuple[int, int]:
    """A task that calls `entry`, not Python, and ends with what that returns.

    `entry` is a function of libc or the address of one. By libc's ``clone``; gives the task's tid
    and its pidfd or -1. With CLONE_VM it shares the thread-local storage of the caller, which
    `entry` must leave alone: ``pause``, ``sleep`` and ``_exit`` do, while libc knows of one thread
    only.
    """
    pidfd = ctypes.c_int(-1)
    function = ctypes.cast(
        getattr(_libc, entry) if isinstance(entry, str) else entry, ctypes.c_void_p
    )
    stack = ctypes.c_void_p(stack_top)
    word = ctypes.c_int(ctypes.c_int32(flags | exit_signal).value)
    tail = (ctypes.c_void_p(argument), ctypes.byref(pidfd), None, None)
    return _check(int(_libc.clone(function, stack, word, *tail))), pidfd.value
