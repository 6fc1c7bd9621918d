"""Seccomp filters that refuse some calls: single ones, or those that container runtimes refuse."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys

from helpers import syscalls
from helpers.uapi import MACHINE, PR_SET_NO_NEW_PRIVS, CloneFlag

# seccomp(2) by classic BPF: include/uapi/linux/{seccomp,bpf_common,prctl}.h.
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_LOAD, _JUMP_EQUAL, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NR_OFFSET, _ARGUMENT_OFFSET = 0, 16 + (0 if sys.byteorder == "little" else 4)

_IS_X86 = MACHINE == "x86_64"
_CLONE, _UNSHARE = (56, 272) if _IS_X86 else (220, 97)
_NAMESPACES = int(CloneFlag.NEWUSER)
CALLS = {
    "pidfd_open": [(syscalls.NR_PIDFD_OPEN, 0)],
    "pidfd_send_signal": [(syscalls.NR_PIDFD_SEND_SIGNAL, 0)],
    "clone3": [(syscalls.NR_CLONE3, 0)],
    "user namespaces": [(_CLONE, _NAMESPACES), (_UNSHARE, _NAMESPACES)],
    "socketpair": [(53 if _IS_X86 else 199, 0)],
    "everything of pidfds": [
        (number, 0)
        for number in (
            syscalls.NR_PIDFD_OPEN,
            syscalls.NR_PIDFD_SEND_SIGNAL,
            syscalls.NR_PIDFD_GETFD,
            syscalls.NR_CLONE3,
            syscalls.NR_CLOSE_RANGE,
            syscalls.NR_PROCESS_MADVISE,
            syscalls.NR_PROCESS_MRELEASE,
        )
    ],
}
"""What can be forbidden: numbers, each with the bits of its first argument that it is about."""

# What container runtimes refuse a process without CAP_SYS_ADMIN (Docker's default profile, as
# well as podman's): these flags to clone, and clone3, whose flags a filter cannot see. Then calls
# that go with CAP_SYS_ADMIN, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH.
_ANY_NAMESPACE = 0x7E020000
_MOUNTS = (165, 166) if _IS_X86 else (40, 39)  # mount, umount2
_REFUSED = (
    # kcmp, open_by_handle_at, setns, unshare, sethostname, setdomainname
    *((312, 304, 308, 272, 170, 171) if _IS_X86 else (272, 265, 268, 97, 161, 162)),
    *_MOUNTS,
    syscalls.NR_PIDFD_GETFD,
    syscalls.NR_PROCESS_MADVISE,
    *range(syscalls.NR_OPEN_TREE, syscalls.NR_PIDFD_OPEN),  # the mount calls of v5.2
)
_CONTAINER = [
    (syscalls.NR_CLONE3, 0, errno.ENOSYS),
    (_CLONE, _ANY_NAMESPACE, errno.EPERM),
    *((number, 0, errno.EPERM) for number in _REFUSED),
]
# Of a profile from before pidfds were known, which refuses what it does not know.
_OLD_CONTAINER = [
    *_CONTAINER,
    (syscalls.NR_PIDFD_OPEN, 0, errno.EPERM),
    (syscalls.NR_PIDFD_SEND_SIGNAL, 0, errno.EPERM),
    (syscalls.NR_CLOSE_RANGE, 0, errno.EPERM),
    (syscalls.NR_PROCESS_MRELEASE, 0, errno.EPERM),
    (101 if _IS_X86 else 117, 0, errno.EPERM),  # ptrace
    *((number, 0, errno.EPERM) for number in range(444, 447)),  # the calls of Landlock
]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def forbid(call: str, error: int) -> None:
    """Let the kernel answer `call`, a key of `CALLS`, with `error` from now on."""
    syscalls.prctl(PR_SET_NO_NEW_PRIVS, 1)  # without it a filter takes CAP_SYS_ADMIN
    _filter([(number, bits, error) for number, bits in CALLS[call]])


def take_rights() -> None:
    """Let user namespaces be made, and give no right in them, as AppArmor and SELinux may.

    What is made together with one is to be had; its maker has the right to that.
    """
    syscalls.prctl(PR_SET_NO_NEW_PRIVS, 1)  # without it a filter takes CAP_SYS_ADMIN
    calls = (_CLONE, _UNSHARE)
    _filter(
        [
            *((number, int(CloneFlag.NEWUSER), 0) for number in calls),
            *((number, _ANY_NAMESPACE | CloneFlag.NEWTIME, errno.EPERM) for number in calls),
            *((number, 0, errno.EPERM) for number in _MOUNTS),
        ]
    )


def contain(profile: str) -> None:
    """Refuse what a container may not do, by the ``new`` profile of runtimes or an old one.

    They do so while they have CAP_SYS_ADMIN, and do not set no_new_privs unless they are told to.
    """
    _filter(_CONTAINER if profile == "new" else _OLD_CONTAINER)


def _filter(rules: list[tuple[int, int, int]]) -> None:
    """Refuse calls by number, all or those with any of some bits in the first argument.

    The first rule about a call counts; error 0 lets it through.
    """
    lines = [(_LOAD, 0, 0, _NR_OFFSET)]
    for number, bits, error in rules:
        answer = _ERRNO | error if error else _ALLOW
        if bits:
            lines += [
                (_JUMP_EQUAL, 0, 4, number),
                (_LOAD, 0, 0, _ARGUMENT_OFFSET),
                (_JUMP_ANY_BIT, 0, 1, bits),
                (_RETURN, 0, 0, answer),
                (_LOAD, 0, 0, _NR_OFFSET),
            ]
        else:
            lines += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, answer)]
    lines.append((_RETURN, 0, 0, _ALLOW))
    code = b"".join(struct.pack("=HBBI", *line) for line in lines)
    program = _Program(len(lines), code)
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.byref(program)):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
