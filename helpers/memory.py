"""What a process does to its own memory; runs in children as well."""

from __future__ import annotations

import ctypes
import mmap

from helpers import syscalls
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
