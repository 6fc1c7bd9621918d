"""Faults of the extended attributes of pidfds."""

from __future__ import annotations

import errno
import os
from typing import Any

from selftests.faults import boundary, pidfds
from selftests.faults.boundary import EPERM, Real
from selftests.faults.registry import breaks, fault


@breaks("os.setxattr")
def attribute_lost(real: Real, file: Any, *args: Any, **more: Any) -> None:
    """An attribute that was set is there."""
    if not pidfds.target(file):
        real(file, *args, **more)


@breaks("fgetxattr")
def attribute_cut(real: Real, fd: int, name: str, room: int) -> bytes:
    """A value that has no room is not cut."""
    whole: bytes = real(fd, name, 100)
    return whole[:room]


@breaks("os.removexattr")
def attribute_not_removed(real: Real, file: Any, *args: Any, **more: Any) -> None:
    """An attribute that was removed is gone."""


@breaks("os.listxattr")
def attributes_not_listed(real: Real, *args: Any, **more: Any) -> list[str]:
    """Every attribute is listed."""
    return list(real(*args, **more))[1:]


@fault()
def attributes_end_with_the_descriptor() -> None:
    """Attributes belong to the process, not to the descriptor that they were set by."""
    setters: set[int] = set()

    def put(real: Real, file: int, *args: Any, **more: Any) -> None:
        setters.add(file)
        real(file, *args, **more)

    def known(real: Real, file: int, **more: Any) -> list[str]:
        return list(real(file, **more)) if file in setters else []

    def close(real: Real, fd: int) -> None:
        setters.discard(fd)
        real(fd)

    boundary.wrap("os.setxattr", put)
    boundary.wrap("os.listxattr", known)
    boundary.wrap("os.close", close)


@fault()
def attributes_end_with_the_task() -> None:
    """Attributes can be read of a zombie, and as long as a pidfd is held after the reap."""
    boundary.wrap(
        "os.listxattr",
        lambda real, file: [] if pidfds.state(file) in ("Z", None) else real(file),
    )


@fault()
def attributes_end_with_an_exec() -> None:
    """Attributes are the process's and not the program's."""

    def known(real: Real, file: int) -> list[str]:
        path = f"/proc/{pidfds.target(file)}/exe"
        return list(real(file)) if os.readlink(path) == os.readlink("/proc/self/exe") else []

    boundary.wrap("os.listxattr", known)


@fault()
def attributes_of_all_tasks() -> None:
    """No other task has the attributes of a process."""
    values: dict[str, bytes] = {}

    def put(real: Real, file: int, name: str, value: bytes, *args: Any) -> None:
        real(file, name, value, *args)
        values[name] = value

    boundary.wrap("os.setxattr", put)
    boundary.wrap("os.listxattr", lambda real, file: list(values))
    boundary.wrap("os.getxattr", lambda real, file, name: values[name])


@breaks("os.setxattr")
def flags_of_setxattr_ignored(
    real: Real, file: int, name: str, value: bytes, flags: int = 0
) -> None:
    """XATTR_REPLACE wants the attribute there, XATTR_CREATE wants it not."""
    real(file, name, value)


@fault()
def other_attributes_taken() -> None:
    """Only trusted attributes are taken."""
    boundary.accept("os.setxattr", errno.EOPNOTSUPP)


@fault()
def attributes_need_no_privilege() -> None:
    """Attributes are for the privileged."""
    boundary.accept("os.setxattr", EPERM)
