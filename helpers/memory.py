"""What a process does to its own memory, and to that of others; runs in children as well."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from typing import NamedTuple

from helpers import journal, syscalls
from helpers.descriptor import Descriptor
from helpers.pidfd import Pidfd


def drop_first_page(pidfd: int, flags: int = 0, advice: int = mmap.MADV_DONTNEED) -> list[str]:
    """``process_madvise(2)`` on the first of two written pages; what became of them, in order.

    Raises ``OSError`` when the kernel refuses, or says that it advised another length.
    """
    size = mmap.PAGESIZE
    with mmap.mmap(-1, 2 * size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as pages:
        pages.write(b"x" * 2 * size)
        first = ctypes.c_char.from_buffer(pages)
        try:
            advised = syscalls.process_madvise(pidfd, ctypes.addressof(first), size, advice, flags)
        finally:
            del first  # or the mapping cannot be closed
        assert advised == size, f"{advised} bytes were advised, {size} were asked for"
        contents = (pages[:size], pages[size:])
    words = {b"x" * size: "kept", bytes(size): "dropped"}
    return [words.get(content, "spoilt") for content in contents]


def drop_first_page_by(pidfd: Pidfd) -> list[str]:
    """`drop_first_page` by a real pidfd."""
    return drop_first_page(pidfd.fileno())


class Page(NamedTuple):
    """One written page of a process."""

    address: int
    length: int


NOWHERE = Page(0, mmap.PAGESIZE)
"""A range that nobody has mapped."""

FOR_ONESELF = {
    "MADV_DONTNEED": mmap.MADV_DONTNEED,
    "MADV_FREE": mmap.MADV_FREE,
    "MADV_REMOVE": mmap.MADV_REMOVE,
    "MADV_DONTFORK": mmap.MADV_DONTFORK,
    "MADV_WIPEONFORK": 18,
    "MADV_POPULATE_READ": 22,
    "MADV_POPULATE_WRITE": 23,
    "MADV_DONTNEED_LOCKED": 24,
    "MADV_GUARD_INSTALL": 102,
    "MADV_GUARD_REMOVE": 103,
}
"""Advice that takes or changes memory; ``include/uapi/asm-generic/mman-common.h``."""

_pages: list[mmap.mmap] = []


def write_page(advice: str = "") -> Page:
    """Map a page, of the kind that `advice` is for, write to it, and keep it."""
    kind = mmap.MAP_SHARED if advice == "MADV_REMOVE" else mmap.MAP_PRIVATE
    page = mmap.mmap(-1, mmap.PAGESIZE, kind | mmap.MAP_ANONYMOUS)
    page.write(b"x" * mmap.PAGESIZE)
    _pages.append(page)
    first = ctypes.c_char.from_buffer(page)
    return Page(ctypes.addressof(first), mmap.PAGESIZE)


def is_as_written() -> bool:
    """Whether the page is still there with what was written."""
    return _pages[-1][:] == b"x" * mmap.PAGESIZE


def look(pid: int, page: Page) -> str:
    """Whether a page of another process is ``kept`` as it was written, or ``gone``.

    By ``/proc/PID/mem``: the counters in ``/proc/PID/status`` are rounded on most kernels.
    """
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
        try:
            found = os.pread(file.fileno(), page.length, page.address)
        except OSError as error:
            if error.errno != errno.EIO:  # memory that was released is not filled again
                raise
            return "gone"
    return "kept" if found == b"x" * page.length else "spoilt"


def advise(descriptor: Descriptor, page: Page, advice: int, flags: int = 0) -> int:
    """``process_madvise(2)`` on a page of the process behind `descriptor`."""
    journal.record(descriptor.role, f"process_madvise({page}, advice {advice}, {int(flags):#x})")
    return syscalls.process_madvise(descriptor.fileno(), *page, advice, flags)


def advise_ranges(descriptor: Descriptor, ranges: list[Page], advice: int) -> int:
    """``process_madvise(2)`` on several ranges; gives the number of bytes advised."""
    plain = [(it.address, it.length) for it in ranges]
    return syscalls.process_madvise_ranges(descriptor.fileno(), plain, advice)


def release(descriptor: Descriptor, flags: int = 0) -> None:
    """``process_mrelease(2)``."""
    journal.record(descriptor.role, f"process_mrelease({int(flags):#x})")
    syscalls.process_mrelease(descriptor.fileno(), flags)
