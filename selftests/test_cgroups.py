"""The id of a cgroup and the way to its directory, as other machines and mounts have them."""

from __future__ import annotations

import ctypes
import errno
import sys
from pathlib import Path

import pytest

from helpers import cgroup, features, kernel, syscalls
from helpers.features import Forbidden, Present
from helpers.uapi_files import FILEID_KERNFS, FileHandleStruct

ID = 1 << 32 | 7
"""What the kernel begins with where its ``ino_t`` has 32 bits: ``st_ino`` is 7."""


def _encode(_fd: int, _name: str, handle: FileHandleStruct, _flags: int) -> int:
    handle.type, handle.bytes = FILEID_KERNFS, 8
    ctypes.memmove(handle.data, ID.to_bytes(8, sys.byteorder), 8)
    return 0


def _refuse(*_: object) -> int:
    raise OSError(errno.ENOSYS, "")


def test_id_is_that_of_the_file_handle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the inode number, which is the half of it on a 32-bit kernel."""
    monkeypatch.setattr(syscalls, "name_to_handle_at", _encode)
    assert cgroup.id_of(str(tmp_path)) == ID


@pytest.mark.parametrize(
    ("bits", "machine", "whole"),
    [(64, "x86_64", True), (64, "s390x", False), (32, "armv7l", False)],
)
def test_inode_number_is_taken_where_it_is_whole(
    bits: int, machine: str, whole: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no handle is to be had; s390x has 64 bits, but 32 in its ``ino_t``."""
    monkeypatch.setattr(syscalls, "name_to_handle_at", _refuse)
    monkeypatch.setattr(cgroup, "MACHINE", machine)
    monkeypatch.setattr(kernel, "is_64bit", lambda: bits == 64)
    if whole:
        assert cgroup.id_of(str(tmp_path)) == tmp_path.stat().st_ino
    else:
        with pytest.raises(OSError, match=r"Errno 38"):
            cgroup.id_of(str(tmp_path))


def test_id_that_is_not_told_forbids_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would compare it with half of it."""
    if not isinstance(features.verdict(features.CGROUP), Present):
        pytest.skip("no cgroup can be made here")
    monkeypatch.setattr(syscalls, "name_to_handle_at", _refuse)
    monkeypatch.setattr(cgroup, "MACHINE", "s390x")
    assert features.CGROUP.probe() == Forbidden(
        "name_to_handle_at gives ENOSYS, and an inode number of 32 bits is but half of its id"
    )
