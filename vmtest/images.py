"""From what the user names to a kernel that can be booted."""

from __future__ import annotations

import os
import platform
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from vmtest import packages
from vmtest.errors import UserError, looking_at


class Kernel(NamedTuple):
    """A kernel image; `config` is the configuration it was built with, where it is known."""

    path: Path
    release: str
    label: str
    origin: str
    config: Path | None = None


# The x86 boot protocol (Documentation/arch/x86/boot.rst).
_SETUP_SECTORS_AT, _REST_AT = 0x1F1, 0x1F4
_MAGIC_AT, _MAGIC = 0x202, b"HdrS"
_VERSION_AT = 0x20E
_XLOADFLAGS_AT, _XLF_KERNEL_64 = 0x236, 1

# What the first bytes of images of other architectures look like.
_FOREIGN = (
    (0, b"MZ", 56, b"ARM\x64", "arm64"),
    (0, b"\x1f\x8b", 0, b"", "a compressed image, as arm64 has"),
    (48, b"RISCV", 56, b"RSC\x05", "riscv64"),
)


def identify(path: Path) -> str:
    """The release of the kernel in `path`, by its own header."""
    try:
        with path.open("rb") as file:
            head = file.read(0x10000)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    if head[_MAGIC_AT : _MAGIC_AT + 4] != _MAGIC:
        raise UserError(f"{path} {_what_else(head)}")
    if len(head) < _XLOADFLAGS_AT + 2:
        raise UserError(f"{path} is not a kernel image: it ends within its header")
    flags = struct.unpack_from("<H", head, _XLOADFLAGS_AT)[0]
    if not flags & _XLF_KERNEL_64:
        raise UserError(f"{path} is a 32-bit x86 kernel; vmtest boots x86_64")
    due = ((head[_SETUP_SECTORS_AT] or 4) + 1) * 512
    due += struct.unpack_from("<I", head, _REST_AT)[0] * 16
    if size < due:
        raise UserError(f"{path} is cut short: {size} bytes of {due}")
    start = struct.unpack_from("<H", head, _VERSION_AT)[0] + 0x200
    words = head[start : start + 256].split(b"\0")[0].decode("ascii", "replace").split()
    if not words:
        raise UserError(f"{path} is not a kernel image: its header names no release")
    return words[0]


def _what_else(head: bytes) -> str:
    if head.startswith(b"\x7fELF"):
        return "is an ELF file (vmlinux?); name the bzImage that was made with it"
    for at, magic, second_at, second, name in _FOREIGN:
        if head.startswith(magic, at) and head.startswith(second, second_at):
            return f"is a kernel for another architecture ({name}); vmtest boots x86_64"
    return "is not a kernel image (vmlinuz or bzImage)"


def resolve(name: str, *, label: str = "", sha256: str = "") -> Kernel:
    """Find the kernel that `name` means.

    It is an image, a built kernel tree, a modules directory, a kernel .deb, or
    ``PACKAGE@SUITE``, a Debian package.
    """
    if platform.machine() != "x86_64":
        raise UserError(f"vmtest boots x86_64 kernels on x86_64, this is {platform.machine()}")
    with looking_at(name):
        found = _find(name, sha256)
    release = identify(found.image)
    return Kernel(found.image, release, label or release, name, found.config)


def _find(name: str, sha256: str) -> packages.Unpacked:
    path = Path(name)
    if path.is_dir():
        return _in_directory(path.resolve())
    if name.endswith(".deb") and path.is_file():
        return packages.from_file(path.resolve())
    if path.exists():
        return packages.Unpacked(path.resolve(), _config_beside(path.resolve()))
    if "@" in name:
        return packages.from_archive(name, sha256)
    raise UserError(f"{name}: no such file or directory (a Debian package is named PACKAGE@SUITE)")


def _in_directory(directory: Path) -> packages.Unpacked:
    for image in (
        directory / "arch/x86/boot/bzImage",  # a built tree
        directory / "vmlinuz",  # modules of Debian's 7.x, Fedora and others
        directory / "bzImage",
        *(top / f"boot/vmlinuz-{directory.name}" for top in list(directory.parents)[2:4]),
    ):
        if image.is_file():
            configs = (directory / ".config", directory / "config")
            return packages.Unpacked(image, _first(configs) or _config_beside(image))
    raise UserError(
        f"{directory} holds no kernel: no arch/x86/boot/bzImage (is the tree built?), no vmlinuz, "
        f"and no boot/vmlinuz-{directory.name} belongs to it"
    )


def _config_beside(image: Path) -> Path | None:
    suffix = image.name.partition("-")[2]
    names = [f"config-{suffix}"] if suffix else ["config", ".config"]
    return _first(image.with_name(name) for name in names)


def _first(paths: Iterable[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)
