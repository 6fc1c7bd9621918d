"""The first process of a guest: mounts what a system has, runs one job, says how it ended.

Started by the kernel with nothing around it, so it stands on the standard library alone.
``/job.json`` holds ``argv``, ``env``, ``cwd``, ``uid``, and ``results`` and ``output``: the
terminals to which results go, a JSON object a line, and what the job prints.
"""

import ctypes
import fcntl
import json
import os
import re
import socket
import struct
import sys
import termios
import time
import tty
from typing import Any

_LIBC = ctypes.CDLL(None, use_errno=True)
_MS_BIND, _MS_MOVE = 4096, 8192
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_RESTART = 0x1234567

_MOUNTS = (
    ("proc", "/proc", ""),
    ("sysfs", "/sys", ""),
    ("devtmpfs", "/dev", ""),
    ("devpts", "/dev/pts", "gid=5,mode=620,ptmxmode=666"),
    ("tmpfs", "/dev/shm", "mode=1777"),
    ("mqueue", "/dev/mqueue", ""),
    ("tmpfs", "/tmp", "mode=1777"),
    ("tmpfs", "/run", "mode=755"),
    ("cgroup2", "/sys/fs/cgroup", ""),
    ("debugfs", "/sys/kernel/debug", ""),
)


def _log(text: str) -> None:
    sys.stdout.write(f"init: {text}\n")
    sys.stdout.flush()


def _mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    words = [word.encode() or None for word in (source, target, kind)]
    if _LIBC.mount(*words, flags, data.encode() or None):
        raise OSError(ctypes.get_errno(), f"mount {kind} {target}")


def _leave_rootfs() -> None:
    """Stand on a mount above the kernel's first one, which no pivot_root may move."""
    _mount("/", "/newroot", flags=_MS_BIND)
    os.chdir("/newroot")
    _mount(".", "/", flags=_MS_MOVE)
    os.chroot(".")
    os.chdir("/")


def _furnish() -> None:
    for kind, target, data in _MOUNTS:
        try:
            os.makedirs(target, exist_ok=True)
            _mount(kind, target, kind, data=data)
        except OSError as error:  # a kernel without it; the tests that need it will say so
            _log(str(error))
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink(f"/proc/self/fd{target}", f"/dev/{name}")
    try:
        with socket.socket() as sock:
            fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))
    except OSError as error:  # a kernel without networks
        _log(str(error))
    socket.sethostname("guest")


def _terminal(path: str) -> int:
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    tty.setraw(fd)
    os.set_blocking(fd, True)
    return fd


def _settle() -> None:
    """Set up what a machine that is only for tests can have, and one in use should not."""
    # A listener throws the dumps away. Kernels before v6.16 take the pattern for a file's name.
    if tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) >= (6, 16):
        _write("/proc/sys/kernel/core_pattern", "@/tmp/pidfd-core.socket")
    # An ordinary user may read the kernel log as well, and mark in it which test runs.
    _write("/proc/sys/kernel/dmesg_restrict", "0")
    os.chmod("/dev/kmsg", 0o666)


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
    except OSError as error:  # a kernel without it
        _log(str(error))


def _become(uid: int) -> None:
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _run(job: Any, output: int) -> int:
    """Run the job, and reap whatever falls to the first process meanwhile."""
    child = os.fork()
    if not child:
        try:
            os.setsid()
            os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.chdir(job["cwd"])
            if job["uid"]:
                _become(job["uid"])
            os.execve(job["argv"][0], job["argv"], job["env"])
        finally:
            os._exit(127)
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def main() -> None:
    """Everything, from the kernel's hand-over to the end of the machine."""
    _leave_rootfs()
    _furnish()
    _settle()
    with open("/job.json", encoding="utf-8") as file:
        job = json.load(file)
    results = _terminal(job["results"])
    output = _terminal(job["output"])

    for path in (job["results"], job["output"]):
        os.chmod(path, 0o666)

    def say(**record: object) -> None:
        os.write(results, json.dumps(record).encode() + b"\n")

    say(booted=os.uname().release, uptime=time.clock_gettime(time.CLOCK_BOOTTIME))
    say(exit=_run(job, output), uptime=time.clock_gettime(time.CLOCK_BOOTTIME))
    for fd in (results, output, 1):
        termios.tcdrain(fd)
    time.sleep(0.1)  # a serial port is drained a little before its last byte has left


if __name__ == "__main__":
    try:
        main()
    except BaseException as error:  # noqa: BLE001 - the console is the only one to tell
        _log(repr(error))
        time.sleep(0.1)
    finally:
        os.sync()
        _LIBC.reboot(_RESTART)
