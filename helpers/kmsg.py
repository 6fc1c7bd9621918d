"""Watches the kernel log while tests run: a report of the kernel fails the test it came with.

``--watch-kernel-log`` marks the beginning of each test in the log, which a panic leaves as the
last trace of the culprit, and reads what has come when the test is over.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Generator, Iterable

import pytest

MARK = "pidfd-tests: running "
OVER = "pidfd-tests: over "

# What the kernel says of itself when something is wrong.
_REPORT = re.compile(
    r"\bBUG: |\bBUG \S+ \(|\bWARNING: |\bKASAN: |\bUBSAN: |\bKCSAN: |\bOops\b|hard LOCKUP"
    r"|general protection fault"
    r"|possible (?:circular|recursive) locking|inconsistent lock state|suspicious RCU usage"
    r"|INFO: (?:task .* blocked.* for more than|rcu_\w+ (?:self-)?detected|trying to register)"
    r"|Kernel panic|kernel BUG at|refcount_t: |list_(?:add|del) corruption|Out of memory: "
)


def is_report(line: str) -> bool:
    """Whether a line of the kernel log tells of something gone wrong in the kernel."""
    return MARK not in line and OVER not in line and _REPORT.search(line) is not None


def reports(lines: Iterable[str]) -> list[str]:
    """Those lines that are reports."""
    return [line for line in lines if is_report(line)]


class KernelLog:
    """The kernel log, read on from where it was opened."""

    def __init__(self, path: str = "/dev/kmsg") -> None:
        """Open the log at its end, for writing too where that is allowed."""
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            self._writable = True
        except PermissionError:
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            self._writable = False
        os.lseek(self._fd, 0, os.SEEK_END)

    def mark(self, what: str, test: str) -> None:
        """Write into the log that a test begins or is over, at a level that consoles show."""
        if self._writable:
            # A record without an end of line stays open for more, and is not yet to be read.
            os.write(self._fd, f"<5>{what}{test[:800]}\n".encode())

    def new(self) -> list[str]:
        """The messages since the last time; the reader may have missed some, and then says so."""
        lines: list[str] = []
        while True:
            try:
                record = os.read(self._fd, 8192)
            except BlockingIOError:
                return lines
            except OSError as error:
                if error.errno != errno.EPIPE:
                    raise
                lines.append("messages were lost: the log was written faster than it was read")
                continue
            if not record:
                return lines
            text = record.decode("utf-8", "replace").partition(";")[2]
            lines.append(text.partition("\n")[0])

    def close(self) -> None:
        """Let the log go."""
        os.close(self._fd)


class Watch:
    """Fails a test during which the kernel reported something."""

    def __init__(self, log: KernelLog) -> None:
        """Watch `log`."""
        self._log = log

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Begin with what comes from now on."""
        self._log.new()
        self._log.mark(MARK, item.nodeid)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, None, None]:
        """Fail for what came during the test, or while its children were ended."""
        try:
            yield
        finally:
            lines = self._log.new()
            self._log.mark(OVER, item.nodeid)
            found = reports(lines)
            if found:
                shown = "\n".join(lines[:60])
                pytest.fail(f"the kernel reported: {found[0]}\nkernel log:\n{shown}", pytrace=False)

    def pytest_unconfigure(self) -> None:
        """Close the log."""
        self._log.close()


def register(config: pytest.Config) -> None:
    """Watch from now on; raises ``UsageError`` where the log may not be read."""
    try:
        log = KernelLog()
    except OSError as error:
        raise pytest.UsageError(
            f"--watch-kernel-log: /dev/kmsg: {error.strerror} (needs root, or CAP_SYSLOG)"
        ) from error
    config.pluginmanager.register(Watch(log), "pidfd-kernel-log")
