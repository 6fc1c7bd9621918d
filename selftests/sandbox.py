"""Runs a program in a place where something is missing or forbidden.

``python sandbox.py PLACE [ARGUMENT] -- PROGRAM ...``; ends with 77 where the place cannot be made.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from typing import Callable, NoReturn

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from helpers import syscalls
from helpers.uapi import MACHINE, PR_SET_NO_NEW_PRIVS, CloneFlag

CANNOT = 77
NOBODY = 65534

_MS_RDONLY, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18

# seccomp(2) by classic BPF: include/uapi/linux/{seccomp,bpf_common,prctl}.h.
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_LOAD, _JUMP_EQUAL, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NR_OFFSET, _ARGUMENT_OFFSET = 0, 16 + (0 if sys.byteorder == "little" else 4)

_CLONE, _UNSHARE = {"x86_64": (56, 272)}.get(MACHINE, (220, 97))
_NAMESPACES = int(CloneFlag.NEWUSER)
CALLS = {
    "pidfd_open": [(syscalls.NR_PIDFD_OPEN, 0)],
    "pidfd_send_signal": [(syscalls.NR_PIDFD_SEND_SIGNAL, 0)],
    "clone3": [(syscalls.NR_CLONE3, 0)],
    "user namespaces": [(_CLONE, _NAMESPACES), (_UNSHARE, _NAMESPACES)],
}


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def forbid(call: str, error: int) -> None:
    """Let the kernel answer `call`, a key of `CALLS`, with `error` from now on."""
    lines = [(_LOAD, 0, 0, _NR_OFFSET)]
    for number, bits in CALLS[call]:
        if bits:
            lines += [
                (_JUMP_EQUAL, 0, 4, number),
                (_LOAD, 0, 0, _ARGUMENT_OFFSET),
                (_JUMP_ANY_BIT, 0, 1, bits),
                (_RETURN, 0, 0, _ERRNO | error),
                (_LOAD, 0, 0, _NR_OFFSET),
            ]
        else:
            lines += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO | error)]
    lines.append((_RETURN, 0, 0, _ALLOW))
    code = b"".join(struct.pack("=HBBI", *line) for line in lines)
    program = _Program(len(lines), code)
    syscalls.prctl(PR_SET_NO_NEW_PRIVS, 1)
    _libc(ctypes.CDLL(None, use_errno=True).prctl)(
        _PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.byref(program)
    )


def without_proc() -> None:
    """See an empty directory in place of /proc."""
    own_mounts()
    _mount("none", "/proc", "tmpfs")


def read_only(path: str) -> None:
    """See `path` on a file system that cannot be written."""
    own_mounts()
    _mount(path, path, None, _MS_BIND)
    _mount(path, path, None, _MS_BIND | _MS_REMOUNT | _MS_RDONLY)


def full_disk(path: str) -> None:
    """See an empty file system at `path`, on which no byte is free."""
    own_mounts()
    _mount("none", path, "tmpfs", 0, "size=64k,mode=777")
    with open(os.path.join(path, "ballast"), "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


def as_nobody() -> None:
    """Be an ordinary user."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def without_network() -> None:
    """See no network but a loopback device that is down."""
    _enter(CloneFlag.NEWNET)


def own_mounts() -> None:
    """See mounts of our own, at first the same."""
    _enter(CloneFlag.NEWNS)
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)


def _enter(kinds: CloneFlag) -> None:
    """Enter new namespaces, as root by a user namespace where we are not root."""
    if os.geteuid() != 0:
        kinds |= CloneFlag.NEWUSER
    syscalls.unshare(kinds)


def _mount(
    source: str, target: str, kind: str | None, flags: int = 0, data: str | None = None
) -> None:
    words = [None if word is None else word.encode() for word in (source, target, kind, data)]
    _libc(ctypes.CDLL(None, use_errno=True).mount)(*words[:3], ctypes.c_ulong(flags), words[3])


def _libc(function: Callable[..., int]) -> Callable[..., None]:
    def call(*args: object) -> None:
        if function(*args) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    return call


def main(arguments: list[str]) -> NoReturn:
    """Make the place and run the program in it."""
    end = arguments.index("--")
    place, *details = arguments[:end]
    try:
        if place == "forbid":
            forbid(details[0], int(details[1]))
        else:
            globals()[place.replace("-", "_")](*details)
        os.execv(arguments[end + 1], arguments[end + 1 :])
    except OSError as error:
        print(f"{place} is not to be had: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(CANNOT)


if __name__ == "__main__":
    main(sys.argv[1:])
