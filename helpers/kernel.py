"""Which kernel runs, and how it was configured."""

from __future__ import annotations

import contextlib
import os
import re
from functools import cache
from typing import NamedTuple

from helpers.uapi import IS_64BIT


class Version(NamedTuple):
    """A mainline version; compared as numbers."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}"


def parse_release(release: str) -> Version:
    """The mainline version in a release such as ``6.12.117+deb13-amd64``."""
    match = re.match(r"(\d+)\.(\d+)", release)
    if not match:
        raise ValueError(f"no kernel version in {release!r}")
    return Version(int(match[1]), int(match[2]))


@cache
def running() -> Version:
    """The version of the running kernel."""
    return parse_release(os.uname().release)


def parse_config(text: str) -> dict[str, str]:
    """Options of a kernel configuration, with ``n`` for those that are not set."""
    options = dict(re.findall(r"^CONFIG_(\w+)=(.*)$", text, re.MULTILINE))
    options.update(
        (name, "n") for name in re.findall(r"^# CONFIG_(\w+) is not set", text, re.MULTILINE)
    )
    return options


@cache
def config() -> dict[str, str] | None:
    """The running kernel's configuration, None where neither /proc nor /boot has it."""
    import gzip  # large, and of no use to children that import this module

    with contextlib.suppress(OSError):
        with gzip.open("/proc/config.gz", "rt", encoding="utf-8") as file:
            return parse_config(file.read())
    with contextlib.suppress(OSError):
        with open(f"/boot/config-{os.uname().release}", encoding="utf-8") as file:
            return parse_config(file.read())
    return None


def is_64bit() -> bool:
    """Whether the kernel has 64 bits, as it may where this interpreter has 32."""
    return IS_64BIT or os.uname().machine.endswith("64")


@cache
def filters_calls() -> bool:
    """Whether a seccomp filter is in force, which can make up any errno."""
    with open("/proc/self/status", encoding="utf-8", errors="replace") as file:
        return "\nSeccomp:\t2" in file.read()


_SWITCHES = {
    "/proc/sys/kernel/unprivileged_userns_clone": "0",  # Debian's
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1",
}


def what_forbids() -> str:
    """What can have refused us something that the kernel has, as far as it can be told."""
    found = [path for path, value in _SWITCHES.items() if _reads(path, value)]
    if filters_calls():
        found.append("seccomp")
    if _in_chroot():  # where user namespaces are refused
        found.append("the chroot")
    if os.geteuid() != 0:
        found.append("not being root")
    return " or ".join([*found, "a security module"]) + " forbids it"


def _reads(path: str, value: str) -> bool:
    with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
        return file.read().strip() == value
    return False


def _in_chroot() -> bool:
    """Whether the mount that our root directory stands on is out of sight."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        return not any(line.split()[4] == "/" for line in file)


def is_configured(option: str) -> bool | None:
    """Whether `option` is built in or a module; None where the configuration is not to be had.

    An option that a configuration does not mention has an unmet dependency: it is off.
    """
    options = config()
    return None if options is None else options.get(option, "n") in ("y", "m")


Release = tuple[int, ...]
"""A full release, stable number included: (6, 12, 117)."""


def parse_full_release(release: str) -> Release:
    """The numbers of a release; ``6.12`` is older than ``6.12.1``."""
    match = re.match(r"\d+(\.\d+)+", release)
    if not match:
        raise ValueError(f"no kernel version in {release!r}")
    return tuple(map(int, match[0].split(".")))
