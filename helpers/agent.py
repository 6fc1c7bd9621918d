"""The program in the children: every thread of it takes orders from the test.

An order is a function and its arguments; the answer is its result or its exception. The first
process of this kind, the zygote, is started once per pytest process and stays small and
single-threaded. All others are made from it, or from each other, by `fork`.
"""

from __future__ import annotations

import _thread
import gc
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import NamedTuple, NoReturn, Protocol

from helpers import deadline, syscalls, syscalls_clone
from helpers.descriptor import Descriptor
from helpers.image import make_echo
from helpers.uapi import INT_MAX, PR_SET_PDEATHSIG
from helpers.wire import Channel, Hangup

BUG = 121
"""Exit status of a child whose own code failed: never a kernel's doing."""

# The modules whose functions are ordered most: what the zygote has, no child has to import.
_PRELOADED = (
    "autoreap", "clone", "getfd", "memory", "namespaces", "pidfd", "reaping", "rights", "signals",
    "sockets",
)  # fmt: skip

_PYTHONS_OWN = frozenset((signal.SIGPIPE, signal.SIGXFSZ))  # which it ignores from its start on

_echo: Descriptor | str | None = None


class Undo(Protocol):
    """What puts something back when it is called."""

    def __call__(self) -> object:
        """Put it back."""


at_hangup: list[Undo] = []
"""What this process does before it ends because the test has hung up; children begin with none."""


class Answer(NamedTuple):
    """What became of an order, and when it was done by the monotonic clock in nanoseconds."""

    at: int
    value: object = None
    error: OSError | None = None
    trace: str = ""


def start(fd: int, seconds: float) -> NoReturn:
    """The zygote's main: serve the test on socket `fd`; children wait `seconds` where they must."""
    global _echo
    # Whoever started pytest may have left signals ignored or blocked, which an exec does not undo.
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, *_PYTHONS_OWN}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    deadline.set_default(seconds)
    _echo = make_echo()
    for module in _PRELOADED:
        __import__(f"helpers.{module}")
    gc.disable()
    gc.freeze()
    serve(Channel(fd, "zygote"))


def resume(fd: int) -> NoReturn:
    """The main of an agent that was executed as a new program; takes orders on socket `fd`."""
    os.set_inheritable(fd, False)
    die_with_parent()
    serve(Channel(fd, "new image"))


def serve(channel: Channel) -> NoReturn:
    """Carry out orders until the test hangs up, then end the whole process."""
    try:
        while True:
            try:
                function, args = channel.receive()
            except Hangup:
                _leave()
            received = channel.received
            answer = _carry_out(function, args)
            for descriptor in received:
                descriptor.close()
            try:
                channel.send(answer)
            except Hangup:
                _leave()
            except Exception as error:  # an answer that does not travel
                channel.send(Answer(answer.at, None, None, f"{function}: {error!r}"))
            del answer, args
    except BaseException:
        sys.stderr.write(_trace())
    os._exit(BUG)


def _leave() -> NoReturn:
    for undo in at_hangup:
        try:
            undo()
        except Exception:
            sys.stderr.write(_trace())
    os._exit(0)


def _carry_out(function: Callable[..., object], args: tuple[object, ...]) -> Answer:
    try:
        value = function(*args)
    except OSError as error:
        return Answer(time.monotonic_ns(), None, error)
    except BaseException:
        return Answer(time.monotonic_ns(), None, None, _trace())
    return Answer(time.monotonic_ns(), value)


def _trace() -> str:
    # Imported when something went wrong: every page the zygote does not hold makes forks cheaper.
    import traceback

    return traceback.format_exc()


def undo_at_hangup(undo: Undo) -> None:
    """As an order to the zygote: do `undo` even if pytest is killed; compared by its value."""
    at_hangup.append(undo)


def undo_now(undo: Undo) -> None:
    """As an order to the zygote: do what was promised to `undo_at_hangup`."""
    undo()
    at_hangup.remove(undo)


def die_with_parent() -> None:
    """Let the kernel kill this process when the thread that made it ends."""
    syscalls.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def fork(channel: Channel, flags: int, exit_signal: int, *kept: Descriptor) -> int:
    """Make a child that takes orders on `channel`; gives its pid as this namespace has it.

    Of what it inherits it keeps `kept`.
    """
    pid = syscalls_clone.fork_with(flags, exit_signal)
    if not pid:
        live(channel, *kept)
    return pid


def live(channel: Channel, *kept: Descriptor) -> NoReturn:
    """Be a child just made: take orders on `channel`, with `kept` open and nothing else."""

    def life() -> None:
        at_hangup.clear()
        _keep_open(channel, *kept)
        serve(channel)

    be_child(life)


def be_child(life: Callable[[], object], maker: int | None = None) -> NoReturn:
    """Be a child just made: run `life`, never to return, and die with the parent.

    Whatever goes wrong, no child gets back into its maker's code. One that no order reaches, and no
    hangup, says by its `maker` whose child it must be: a parent may die before it is watched.
    """
    try:
        die_with_parent()
        # 0: the maker's number is not to be seen from a new pid namespace.
        if maker is None or os.getppid() in (maker, 0):
            life()
    except BaseException:
        sys.stderr.write(_trace())
    os._exit(BUG)


def pause() -> NoReturn:
    """Wait to be killed."""
    while True:
        signal.pause()


def _keep_open(*kept: Descriptor) -> None:
    """Close all that was inherited but the standard three, the image and `kept`."""
    image = [_echo] if isinstance(_echo, Descriptor) else []
    first = 3
    for number in sorted(descriptor.fileno() for descriptor in (*image, *kept)):
        if number > first:
            syscalls.close_range(first, number - 1)
        first = number + 1
    syscalls.close_range(first, INT_MAX)


def spawn_thread(channel: Channel) -> None:
    """Make a thread that takes orders on `channel`; its first message is its thread id."""
    mine = channel.dup()  # what came with an order is closed when the order is done

    def run() -> None:
        die_with_parent()
        mine.send(_thread.get_native_id())
        serve(mine)

    _thread.start_new_thread(run, ())


def exec_echo(channel: Channel, program: Descriptor | None = None) -> NoReturn:
    """Become the echoing image, or `program`, with both ends of it on `channel`."""
    image = program or _echo
    assert image is not None
    for standard in (0, 1):
        os.dup2(channel.fileno(), standard)
    os.execve(image if isinstance(image, str) else image.fileno(), ["cat"], {})


def exec_echo_at_gate(channel: Channel, gate: Channel) -> NoReturn:
    """Become the echoing image when the other end of `gate` is closed, with other threads.

    They share the descriptors 0 and 1, so all must be given the same `channel`.
    """
    assert _echo is not None
    for standard in (0, 1):
        os.dup2(channel.fileno(), standard)
    target = _echo if isinstance(_echo, str) else _echo.fileno()
    execute = syscalls.prepare_execve(target, ["cat"])
    gate.send("ready")
    os.read(gate.fileno(), 1)
    execute()


def exec_agent(channel: Channel) -> NoReturn:
    """Become a new agent that takes orders on `channel`."""
    os.set_inheritable(channel.fileno(), True)
    os.execv(sys.executable, interpreter("resume", channel.fileno()))


def exec_path(path: str) -> NoReturn:
    """Execute a file without arguments."""
    os.execve(path, [path], {})


def interpreter(entry: str, *args: float) -> list[str]:
    """Command line of an interpreter that imports nothing it need not, and runs `entry`."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    code = f"import sys; sys.path.insert(0, {root!r}); from helpers.agent import {entry}; "
    words = ", ".join(map(repr, args))
    # What isolation hides of the environment: where byte code is kept, or all is compiled anew.
    kept = ["-X", f"pycache_prefix={sys.pycache_prefix}"] if sys.pycache_prefix else []
    return [sys.executable, "-I", "-S", "-B", *kept, "-c", f"{code}{entry}({words})"]
