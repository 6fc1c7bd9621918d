"""One typed function per system call that the standard library lacks or narrows.

The only module that calls into libc, and the place where selftests put faults between the tests
and the kernel. Every function raises ``OSError`` with the kernel's errno.

Descriptors are plain integers here on purpose: tests of wrong descriptors need numbers that the
standard library refuses before the kernel sees them.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
from collections.abc import Callable
from typing import Final, NamedTuple, NoReturn

from helpers.uapi import ABI, MACHINE
from helpers.uapi_structs import Iovec, PollFd, Siginfo

# ctypes.CDLL drops the interpreter lock during a call, PyDLL would keep it: a leader that exits
# alone by `syscall(SYS_exit)` must not take the lock of its subthreads with it.
_libc: Final = ctypes.CDLL(None, use_errno=True)

# From v5.1 on they are the same everywhere but on alpha and MIPS.
NR_PIDFD_SEND_SIGNAL: Final = 424
NR_OPEN_TREE: Final = 428
NR_MOVE_MOUNT: Final = 429
NR_PIDFD_OPEN: Final = 434
NR_CLONE3: Final = 435
NR_CLOSE_RANGE: Final = 436
NR_PIDFD_GETFD: Final = 438
NR_PROCESS_MADVISE: Final = 440
NR_PROCESS_MRELEASE: Final = 448


class Numbers(NamedTuple):
    """Those of older calls, of which an ABI has its own; ``arch/*/*/syscalls/*.tbl``."""

    exit: int
    clone: int
    polls: tuple[int, ...]  # in which a poller may sleep: poll, ppoll, epoll_wait, epoll_pwait
    waitid: int
    rt_sigaction: int
    rt_sigtimedwait: int
    kcmp: int


_GENERIC: Final = Numbers(93, 220, (73, 22), 95, 134, 137, 272)  # scripts/syscall.tbl
_WITHOUT_TIME32: Final = _GENERIC._replace(rt_sigtimedwait=421)
_POWERPC: Final = Numbers(1, 120, (167, 281, 238, 303), 272, 173, 176, 354)
_NUMBERS: Final = {
    "x86_64": Numbers(60, 56, (7, 271, 232, 281), 247, 13, 128, 312),
    "i386": Numbers(1, 120, (168, 309, 256, 319), 284, 174, 177, 349),
    "arm": Numbers(1, 120, (168, 336, 252, 346), 280, 174, 177, 378),
    "s390x": Numbers(1, 120, (168, 302, 251, 312), 281, 174, 177, 343),
    **dict.fromkeys(("ppc", "ppc64", "ppc64le"), _POWERPC),
    **dict.fromkeys(("aarch64", "aarch64_be", "riscv64", "loongarch64"), _GENERIC),
    **dict.fromkeys(("arc", "csky", "hexagon", "nios2", "openrisc"), _GENERIC),
    **dict.fromkeys(("riscv32", "loongarch32"), _WITHOUT_TIME32),
}
KNOWN: Final = ABI in _NUMBERS
"""Whether the numbers are right for this machine: `premises` lets nothing run where not."""
NUMBERS: Final = _NUMBERS.get(ABI, _GENERIC)
SLEEPING_IN_POLL: Final = frozenset((*NUMBERS.polls, 414, 441))
"""Numbers by which ``/proc/PID/syscall`` shows a task asleep in a poll or epoll call."""
SLEEPING_IN_WAITID: Final = frozenset((NUMBERS.waitid,))
"""The number by which ``/proc/PID/syscall`` shows a task asleep in ``waitid``."""

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


def process_madvise_at(pidfd: int, vector: int, count: int, advice: int) -> int:
    """``process_madvise(2)`` with `count` ranges told at any address."""
    return syscall(NR_PROCESS_MADVISE, pidfd, vector, count, advice, 0)


def process_madvise_ranges(pidfd: int, ranges: list[tuple[int, int]], advice: int) -> int:
    """``process_madvise(2)`` for any number of ranges, each an address and a length."""
    vector = (Iovec * len(ranges))(*[Iovec(*it) for it in ranges])
    return process_madvise_at(pidfd, ctypes.addressof(vector), len(ranges), advice)


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


def default_action(signal: int, flags: int) -> None:
    """``sigaction(2)`` with SIG_DFL and `flags`, which the standard library cannot give."""
    # Handler, flags, restorer and mask; behind the first two all is 0, whatever its order.
    action = (ctypes.c_ulong * 8)(0, flags)
    syscall(NUMBERS.rt_sigaction, signal, ctypes.addressof(action), None, 8)


def mount(source: str, target: str, kind: str, flags: int = 0) -> None:
    """``mount(2)`` without options."""
    texts = (ctypes.c_char_p(os.fsencode(text)) for text in (source, target, kind))
    _check(int(_libc.mount(*texts, ctypes.c_ulong(flags), None)))


def fstatfs_type(fd: int) -> int:
    """The magic number of the file system that ``fstatfs(2)`` tells of; its first field."""
    word = ctypes.c_uint32 if MACHINE.startswith("s390") else ctypes.c_ulong
    answer = (word * (256 // ctypes.sizeof(word)))()
    _check(int(_libc.fstatfs(ctypes.c_int(fd), answer)))
    return int(answer[0])


def name_to_handle_at(fd: int, name: str, handle: ctypes.Structure, flags: int) -> int:
    """``name_to_handle_at(2)`` into a ``struct file_handle``; gives the mount id."""
    mount_id = ctypes.c_int(-1)
    path = ctypes.c_char_p(os.fsencode(name))
    tail = (ctypes.byref(handle), ctypes.byref(mount_id), ctypes.c_int(flags))
    _check(int(_libc.name_to_handle_at(ctypes.c_int(fd), path, *tail)))
    return mount_id.value


def open_by_handle_at(fd: int, handle: ctypes.Structure, flags: int) -> int:
    """``open_by_handle_at(2)``; any `fd`, negative ones included."""
    where, how = ctypes.c_int(fd), ctypes.c_int(flags)
    return _check(int(_libc.open_by_handle_at(where, ctypes.byref(handle), how)))


def open_tree(fd: int, name: str, flags: int) -> int:
    """``open_tree(2)``, v5.2."""
    path = ctypes.c_char_p(os.fsencode(name))
    return syscall(NR_OPEN_TREE, fd, ctypes.cast(path, ctypes.c_void_p).value, flags)


def move_mount(source: int, target: int, flags: int) -> None:
    """``move_mount(2)``, v5.2, between two descriptors; both paths are empty."""
    empty = ctypes.cast(ctypes.c_char_p(b""), ctypes.c_void_p).value
    syscall(NR_MOVE_MOUNT, source, empty, target, empty, flags)


def setfsids(uid: int, gid: int) -> None:
    """``setfsuid(2)`` and ``setfsgid(2)`` for the calling thread; neither tells of a failure."""
    _libc.setfsgid(ctypes.c_uint(gid))
    _libc.setfsuid(ctypes.c_uint(uid))


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


def epoll_add(epoll: int, fd: int, events: int) -> None:
    """``epoll_ctl(2)`` with EPOLL_CTL_ADD; any `fd`, negative ones included."""
    event = (ctypes.c_uint32 * 4)(events)  # whatever the architecture's padding, data is 0
    _check(int(_libc.epoll_ctl(ctypes.c_int(epoll), 1, ctypes.c_int(fd), event)))


def epoll_wait(epoll: select.epoll, timeout_ms: int) -> dict[int, int]:
    """``epoll_wait(2)``; gives the events of each descriptor that has any."""
    return dict(epoll.poll(timeout_ms / 1000))


def waitid(kind: int, which: int, options: int) -> os.waitid_result | None:
    """``waitid(2)``; None where WNOHANG found nothing."""
    return os.waitid(kind, which, options)


def close_range(first: int, last: int) -> None:
    """Close every open descriptor from `first` to `last`, both included."""
    try:
        syscall(NR_CLOSE_RANGE, first, last, 0)
    except OSError:  # before v5.9, or filtered
        # Those that are open: RLIMIT_NOFILE may allow a billion.
        for number in map(int, os.listdir("/proc/self/fd")):
            if first <= number <= last:
                with contextlib.suppress(OSError):  # the one that listed the directory
                    os.close(number)


def prepare_execve(target: int | str, argv: list[str]) -> Callable[[], NoReturn]:
    """``execve(2)`` of a path, or ``fexecve(3)`` of a descriptor, ready to be called.

    Unlike the standard library's it drops the interpreter lock, so that threads can race.
    """
    words = (ctypes.c_char_p * (len(argv) + 1))(*map(os.fsencode, argv))
    nothing = (ctypes.c_char_p * 1)()
    call = _libc.fexecve if isinstance(target, int) else _libc.execve
    file = ctypes.c_int(target) if isinstance(target, int) else os.fsencode(target)

    def execute() -> NoReturn:
        call(file, words, nothing)
        _fail()

    return execute


def exit_thread(status: int) -> NoReturn:
    """``_exit(2)`` of the kernel: ends the calling thread alone, without libc's exit_group."""
    syscall(NUMBERS.exit, status)
    raise AssertionError("the kernel returned from exit")


def sigtimedwait(signal: int) -> Siginfo:
    """``sigtimedwait(2)`` that takes what is pending by now, and fails with EAGAIN otherwise."""
    width = 8 * ctypes.sizeof(ctypes.c_ulong)
    wanted = (ctypes.c_ulong * (1024 // width))()
    wanted[(signal - 1) // width] = 1 << (signal - 1) % width
    now = (ctypes.c_long * 4)()
    info = Siginfo()
    # Not by libc, which tells SI_TKILL as SI_USER. The 8 is the size of the kernel's set.
    words = map(ctypes.addressof, (wanted, info, now))
    syscall(NUMBERS.rt_sigtimedwait, *words, 8)
    return info
