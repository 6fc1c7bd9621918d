"""Watches the kernel log while tests run: a report of the kernel fails the test it came with.

``--watch-kernel-log`` marks the beginning of each test in the log, where that may be written, which
a panic leaves as the last trace of the culprit, and reads what has come when the test is over.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Generator, Iterable
from typing import NamedTuple

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


class Record(NamedTuple):
    """A message of the log, and whether the kernel wrote it: no program can tell its facility."""

    text: str
    of_kernel: bool


def decode(record: bytes) -> Record:
    """A record as /dev/kmsg gives it; continuation lines are left out."""
    prefix, _, text = record.decode("utf-8", "replace").partition(";")
    level_and_facility = int(prefix.partition(",")[0])
    return Record(text.partition("\n")[0], level_and_facility >> 3 == 0)


def read_record(fd: int) -> bytes:
    """The next record; raises ``BlockingIOError`` where there is none yet."""
    return os.read(fd, 8192)


class KernelLog:
    """The kernel log, read on from where it was opened."""

    def __init__(self, path: str = "/dev/kmsg") -> None:
        """Open the log at its end."""
        self._path = path
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        os.lseek(self._fd, 0, os.SEEK_END)

    def mark(self, what: str, test: str) -> None:
        """Write into the log that a test begins or is over, at a level that consoles show."""
        try:
            # Opened anew each time: the kernel takes ten lines in five seconds from an open file.
            fd = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
        except PermissionError:
            return
        try:
            # A record without an end of line stays open for more, and is not yet to be read.
            os.write(fd, f"<5>{what}{test[:800]}\n".encode())
        finally:
            os.close(fd)

    def new(self) -> list[Record]:
        """The messages since the last time; the reader may have missed some, and then says so."""
        found: list[Record] = []
        while True:
            try:
                record = read_record(self._fd)
            except BlockingIOError:
                return found
            except OSError as error:
                if error.errno != errno.EPIPE:
                    raise
                lost = "messages were lost: the log was written faster than it was read"
                found.append(Record(lost, of_kernel=False))
                continue
            if not record:
                return found
            found.append(decode(record))

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
            records = self._log.new()
            self._log.mark(OVER, item.nodeid)
            found = reports(record.text for record in records if record.of_kernel)
            if found:
                shown = "\n".join(record.text for record in records[:60])
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
            f"--watch-kernel-log: /dev/kmsg: {error.strerror} "
            "(needs root or CAP_SYSLOG, and kernel.printk_devkmsg other than off)"
        ) from error
    config.pluginmanager.register(Watch(log), "pidfd-kernel-log")
