"""Archives in the format that the kernel unpacks as its first root (cpio "newc")."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO


class Writer:
    """Writes an archive whose files all belong to root; needs no privileges."""

    def __init__(self, out: BinaryIO) -> None:
        """Write to `out`; call `close` at the end."""
        self._out = out
        self._inode = 0
        self._directories = {"", "/"}

    def add(self, source: Path, name: str) -> None:
        """A file of this machine under `name`; symbolic links are followed."""
        self.file(name, source.read_bytes(), 0o755 if os.access(source, os.X_OK) else 0o644)

    def file(self, name: str, content: bytes, mode: int = 0o644) -> None:
        """A file."""
        self._entry(name, stat.S_IFREG | mode, content)

    def link(self, name: str, target: str) -> None:
        """A symbolic link."""
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def device(self, name: str, major: int, minor: int) -> None:
        """A character device."""
        self._entry(name, stat.S_IFCHR | 0o600, b"", (major, minor))

    def directories(self, names: Iterable[str], mode: int = 0o755) -> None:
        """Empty directories."""
        for name in names:
            self._parents(f"{name}/x", mode)

    def close(self) -> None:
        """End the archive; another may follow it in the same file."""
        self._write("TRAILER!!!", 0, b"", (0, 0))

    def _entry(
        self, name: str, mode: int, content: bytes, device: tuple[int, int] = (0, 0)
    ) -> None:
        self._parents(name)
        self._write(name.lstrip("/"), mode, content, device)

    def _parents(self, name: str, mode: int = 0o755) -> None:
        parent = os.path.dirname(name)
        if parent not in self._directories:
            self._parents(parent)
            self._directories.add(parent)
            self._write(parent.lstrip("/"), stat.S_IFDIR | mode, b"", (0, 0))

    def _write(self, name: str, mode: int, content: bytes, device: tuple[int, int]) -> None:
        self._inode += 1
        path = name.encode() + b"\0"
        fields = (
            self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(path), 0,
        )  # fmt: skip
        header = b"070701" + b"".join(b"%08x" % field for field in fields) + path
        self._out.write(header + b"\0" * (-len(header) % 4))
        self._out.write(content + b"\0" * (-len(content) % 4))
