"""Signals with a siginfo of the sender's making, and what arrives of them."""

from __future__ import annotations

import _thread
import os
import signal
from typing import NamedTuple

from helpers import journal, syscalls
from helpers.descriptor import Descriptor
from helpers.info import signal_name
from helpers.pidfd import Pidfd
from helpers.uapi import IS_64BIT, SI_KERNEL, SI_QUEUE, SI_USER, PidfdFlag, SignalFlag
from helpers.uapi_structs import Siginfo


class SigInfo(NamedTuple):
    """The fields of ``siginfo_t`` that a sender by hand fills."""

    signo: int
    code: int = SI_QUEUE
    pid: int = 0
    uid: int = 0
    value: int = 0
    errno: int = 0


def forged(number: int, code: int) -> SigInfo:
    """A siginfo of `code` that claims to come from process 1, with all that the kernel passes on.

    It copies the whole of it, but a 32-bit sender's by the layout that belongs to the code: of
    those that a kill(2) or the kernel itself sends, no value.
    """
    by_layout = not IS_64BIT and code in (SI_USER, SI_KERNEL)
    return SigInfo(number, code, pid=1, uid=os.getuid(), value=0 if by_layout else 42)


def send(target: Descriptor, number: int, flags: SignalFlag = SignalFlag.NONE) -> None:
    """``pidfd_send_signal(2)`` without siginfo, by any descriptor."""
    scope = f" [{flags}]" if flags else ""
    journal.record(target.role, f"pidfd_send_signal({signal_name(number)}){scope}")
    syscalls.pidfd_send_signal(target.fileno(), number, None, flags)


def queue(
    pidfd: Pidfd, info: SigInfo, number: int = 0, flags: SignalFlag = SignalFlag.NONE
) -> None:
    """``pidfd_send_signal(2)`` with `info`; of signal `number`, where not that of `info`."""
    number = number or info.signo
    journal.record(pidfd, f"pidfd_send_signal({signal_name(number)}, {info}) [{flags}]")
    queue_by_number(pidfd.fileno(), info, number, flags)


def queue_by_number(pidfd: int, info: SigInfo, number: int, flags: SignalFlag) -> None:
    """`queue` for any `pidfd`, sentinels included, and any `number`."""
    raw = Siginfo()
    raw.signo, raw.code, raw.errno = info.signo, info.code, info.errno
    raw.pid, raw.uid, raw.value = info.pid, info.uid, info.value
    syscalls.pidfd_send_signal(pidfd, number, raw, flags)


def queue_from_nowhere(pidfd: Pidfd, number: int) -> None:
    """``pidfd_send_signal(2)`` with a siginfo at an address that is never mapped."""
    syscalls.syscall(syscalls.NR_PIDFD_SEND_SIGNAL, pidfd.fileno(), number, 1, 0)


def queue_to_self(info: SigInfo, scope: PidfdFlag, flags: SignalFlag) -> SigInfo:
    """Send `info` to the calling thread, or with no `scope` to its process, and take it."""
    target = _thread.get_native_id() if scope else os.getpid()
    with Pidfd.open(target, scope) as pidfd:
        queue(pidfd, info, flags=flags)
    return take(info.signo)


def kill_thread(number: int) -> SigInfo:
    """``tgkill(2)`` of the calling thread, and what its siginfo says when it is taken."""
    signal.pthread_kill(_thread.get_ident(), number)
    return take(number)


def block(number: int) -> None:
    """Keep a signal pending in the calling thread and those that it makes from now on."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [number])


def take(number: int) -> SigInfo:
    """The signal that is pending on the calling thread or its process, which takes it away."""
    raw = syscalls.sigtimedwait(number)
    return SigInfo(raw.signo, raw.code, raw.pid, raw.uid, raw.value or 0, raw.errno)
