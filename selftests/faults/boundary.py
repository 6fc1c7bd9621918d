"""Tools to break what stands between the tests and the kernel, and to mend it again.

What is broken is a function by its name: ``"ioctl"`` for one of `helpers.syscalls`, ``"os.fstat"``
or ``"socket.getsockopt"`` where the suite goes by the standard library.
"""

from __future__ import annotations

import errno
import fcntl
import functools
import os
import select
import signal
import socket
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any, NoReturn

from helpers import syscalls, syscalls_access, syscalls_clone

Real = Callable[..., Any]
Broken = Callable[..., Any]

_MODULES = (syscalls, syscalls_access, syscalls_clone)
_PLACES: dict[str, Any] = {
    "fcntl": fcntl,
    "os": os,
    "select": select,
    "signal": signal,
    "socket": socket.socket,
}
_undo: list[Callable[[], object]] = []


def mend() -> None:
    """Undo all that was broken in this process."""
    while _undo:
        _undo.pop()()


def at_mend(action: Callable[[], object]) -> None:
    """Do something more when the fault is over."""
    _undo.append(action)


def fail(number: int) -> NoReturn:
    """Fail as a system call does."""
    raise OSError(number, os.strerror(number))


def wrap(name: str, broken: Broken) -> None:
    """Put `broken` in the place of a function; it is given the real one, and the arguments."""
    place, _, short = name.rpartition(".")
    if place:
        owner = _PLACES[place]
        real = getattr(owner, short)

        @functools.wraps(real, assigned=("__name__", "__qualname__", "__doc__"))
        def instead(*args: Any, **more: Any) -> Any:
            return broken(real, *args, **more)

        instead.__module__ = place  # by which it travels to a child
        replace(owner, short, instead)
        return
    module = next(module for module in _MODULES if hasattr(module, name))
    rewrite(module, getattr(module, name), broken)


def rewrite(module: ModuleType, function: Any, broken: Broken) -> None:
    """Give `function` another body: who holds it already, or is sent it, has the fault too."""
    code = function.__code__
    real = FunctionType(code, function.__globals__, function.__name__, function.__defaults__)
    real.__kwdefaults__ = function.__kwdefaults__
    hook = f"_fault_{len(_undo)}_{function.__name__}"
    body: dict[str, Any] = {}
    exec(f"def instead(*args, **more): return {hook}(*args, **more)", body)
    setattr(module, hook, functools.partial(broken, real))
    function.__code__ = body["instead"].__code__

    def undo() -> None:
        function.__code__ = code

    _undo.append(undo)


def replace(owner: Any, name: str, value: Any) -> None:
    """Give a module or class another attribute."""
    missing = object()
    before = vars(owner).get(name, missing)
    setattr(owner, name, value)
    if before is missing:
        _undo.append(lambda: delattr(owner, name))
    else:
        _undo.append(lambda: setattr(owner, name, before))


def swap_errno(name: str, found: int, told: int) -> None:
    """Let a call tell another errno than the kernel's."""
    instead_of_errno(name, found, lambda real, *args, **more: fail(told))


def accept(name: str, *errnos: int, result: Callable[[], Any] = lambda: None) -> None:
    """Let a call that fails with one of `errnos` look as if it were done."""
    for number in errnos:
        instead_of_errno(name, number, lambda real, *args, **more: result())


def instead_of_errno(name: str, number: int, otherwise: Broken) -> None:
    """Do something else where a call fails with errno `number`."""

    def broken(real: Real, *args: Any, **more: Any) -> Any:
        try:
            return real(*args, **more)
        except OSError as error:
            if error.errno != number:
                raise
        return otherwise(real, *args, **more)

    wrap(name, broken)


def null() -> int:
    """A descriptor that stands for nothing in particular."""
    return os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)


EACCES, EAGAIN, EBADF, ECHILD = errno.EACCES, errno.EAGAIN, errno.EBADF, errno.ECHILD
EFAULT, EINVAL, EMFILE, ENOENT = errno.EFAULT, errno.EINVAL, errno.EMFILE, errno.ENOENT
ENOTDIR, EPERM, ESRCH, ESTALE = errno.ENOTDIR, errno.EPERM, errno.ESRCH, errno.ESTALE
