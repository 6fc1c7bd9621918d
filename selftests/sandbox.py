"""Runs a program in a place where something is missing or forbidden.

``python sandbox.py PLACE [ARGUMENT] -- PROGRAM ...``; ends with 77 where the place cannot be made.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import sys
from typing import Callable, NoReturn

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from helpers import syscalls
from helpers.syscalls_access import drop_capabilities
from helpers.uapi import PR_SET_PDEATHSIG, CloneFlag
from selftests import seccomp

CANNOT = 77
NOBODY = 65534

_MS_RDONLY, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
_MNT_DETACH = 2

# CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, NET_RAW,
# SYS_CHROOT, MKNOD, AUDIT_WRITE, SETFCAP: what root has in a container.
_KEPT = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31}
_CAPABILITIES = set(range(41))
_PR_CAPBSET_DROP = 24


def container(profile: str = "new") -> None:
    """Be in a container as runtimes make them: namespaces, few capabilities, a seccomp filter.

    The `profile` is ``new``, ``old`` or, as Kubernetes has it, ``none``.
    """
    _enter_container()
    if profile != "none":
        seccomp.contain(profile)
    _lose_capabilities(_CAPABILITIES - _KEPT)


def _enter_container() -> None:
    own_mounts()
    syscalls.unshare(CloneFlag.NEWPID | CloneFlag.NEWIPC | CloneFlag.NEWUTS)
    _go_on_as_pid_1()
    _mount("proc", "/proc", "proc")
    _mount("/proc/sys", "/proc/sys", None, _MS_BIND)
    _mount("/proc/sys", "/proc/sys", None, _MS_BIND | _MS_REMOUNT | _MS_RDONLY)


def another_root(root: str) -> None:
    """Be in a tree with a system of its own: the project at /suite, pytest at /site."""
    import pytest  # a part of what the tree is given; nothing else here needs it

    own_mounts()
    _mount(root, root, None, _MS_BIND)
    site = os.path.dirname(os.path.dirname(pytest.__file__))
    project = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for source, name in (
        ("/proc", "proc"), ("/sys", "sys"), ("/dev", "dev"), (project, "suite"), (site, "site"),
    ):  # fmt: skip
        os.makedirs(f"{root}/{name}", exist_ok=True)
        _mount(source, f"{root}/{name}", None, _MS_BIND | _MS_REC)
    os.chdir(root)
    libc = ctypes.CDLL(None, use_errno=True)
    _libc(libc.pivot_root)(b".", b".")
    _libc(libc.umount2)(b".", _MNT_DETACH)
    os.chdir("/suite")
    os.environ.update(PYTHONPATH="/site", PATH="/usr/bin:/bin", TMPDIR="/tmp", HOME="/tmp")


def _go_on_as_pid_1() -> None:
    """Go on in a child, and pass its end on."""
    child = os.fork()
    if child:
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os._exit(status if status >= 0 else 128 - status)
    syscalls.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def root_without(capability: str) -> None:
    """Be root with every capability but one, told by its number."""
    _lose_capabilities({int(capability)})


def _lose_capabilities(numbers: set[int]) -> None:
    for number in numbers:
        syscalls.prctl(_PR_CAPBSET_DROP, number)
    drop_capabilities(sum(1 << number for number in numbers))


def root_of_a_user_namespace(count: str, limit: str = "", first: str = "0") -> None:
    """Be root in a user namespace with `count` ids, which may have `limit` more of them inside.

    Id 0 of it is `first` outside.
    """
    if first != "0":
        own_mounts()
        _let_others_run()
        os.environ["LOGNAME"] = first  # after whom pytest names its directory for temporary files
    read, write = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if not child:
        os.read(read, 1)
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{parent}/{name}", "w", encoding="ascii") as file:
                file.write(f"0 {first} {count}")
        os._exit(0)
    syscalls.unshare(CloneFlag.NEWUSER)
    os.write(write, b"!")
    if os.waitpid(child, 0)[1]:
        raise OSError(errno.EPERM, "ids cannot be mapped")
    os.close(read)
    os.close(write)
    _become(0)
    if limit:
        with open("/proc/sys/user/max_user_namespaces", "w", encoding="ascii") as file:
            file.write(limit)


def hidden_processes() -> None:
    """Be an ordinary user to whom /proc shows no processes but his own."""
    own_mounts()
    _mount("proc", "/proc", "proc", 0, "hidepid=2")
    as_nobody()


def container_user(profile: str = "new") -> None:
    """Be an ordinary user in a container."""
    _enter_container()
    _let_others_run()
    seccomp.contain(profile)
    _lose_capabilities(_CAPABILITIES - _KEPT)
    _become(NOBODY)


def user_without_rights() -> None:
    """Be an ordinary user, who may make user namespaces and has no right in them."""
    as_nobody()
    seccomp.take_rights()


def without_proc() -> None:
    """See an empty directory in place of /proc."""
    own_mounts()
    _mount("none", "/proc", "tmpfs")


def without_sysctls() -> None:
    """See a /proc of tasks alone."""
    own_mounts()
    _mount("proc", "/proc", "proc", 0, "subset=pid")


def sealed_memory(value: str) -> None:
    """Be in a pid namespace in which memory files may not be executed, ``vm.memfd_noexec``."""
    own_mounts()
    syscalls.unshare(CloneFlag.NEWPID)
    _go_on_as_pid_1()
    _mount("proc", "/proc", "proc")
    with open("/proc/sys/vm/memfd_noexec", "w", encoding="ascii") as file:
        file.write(value)


def with_signals(state: str) -> None:
    """Have every signal ``ignored`` or ``blocked`` that can be."""
    usual = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}
    if state == "blocked":
        signal.pthread_sigmask(signal.SIG_BLOCK, usual)
    for number in usual if state == "ignored" else ():
        signal.signal(number, signal.SIG_IGN)


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
    """Be an ordinary user, who may run this interpreter wherever it is installed."""
    if os.geteuid() == 0:
        own_mounts()
        _let_others_run()
    _become(NOBODY)


def _let_others_run() -> None:
    for path in {sys.executable, os.path.realpath(sys.executable)}:
        _let_others_in(path)


def _become(user: int) -> None:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def _let_others_in(path: str) -> None:
    """Cover each directory above `path` that others may not search, but for the way on."""
    parts = path.split("/")
    for depth in range(2, len(parts)):
        directory, inner = "/".join(parts[:depth]), "/".join(parts[: depth + 1])
        if os.stat(directory).st_mode & 0o001 or os.path.isfile(inner):
            continue
        way_on = os.open(inner, os.O_PATH)
        _mount("none", directory, "tmpfs", 0, "mode=755")
        os.mkdir(inner)
        _mount(f"/proc/self/fd/{way_on}", inner, None, _MS_BIND)
        os.close(way_on)


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
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind, data)]
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
            seccomp.forbid(details[0], int(details[1]))
        else:
            globals()[place.replace("-", "_")](*details)
        os.execv(arguments[end + 1], arguments[end + 1 :])
    except OSError as error:
        print(f"{place} is not to be had: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(CANNOT)


if __name__ == "__main__":
    main(sys.argv[1:])
