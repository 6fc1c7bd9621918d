"""Structures as other machines lay them out, by computation, and a run by a Python of another word.

What an ABI decides is the size of a pointer and of ``long``, and how far a 64-bit number is
aligned. The layout that follows is computed here from the fields that the suite has, and must be
the one that the kernel's headers give there.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from helpers import uapi, uapi_files
from helpers.uapi import PidfdInfoStruct
from helpers.uapi_structs import CloneArgs, PollFd, Siginfo
from selftests.runner import ROOT, Run
from selftests.sandbox import CANNOT


class Abi(NamedTuple):
    """Size of a pointer and of ``long``, and alignment of a 64-bit number."""

    word: int
    long_long: int


ABIS = {
    "x86_64": Abi(8, 8),
    "i386": Abi(4, 4),
    "arm": Abi(4, 8),
    "s390x": Abi(8, 8),
    "ppc64le": Abi(8, 8),
    "riscv64": Abi(8, 8),
}
every_abi = pytest.mark.parametrize("abi", ABIS.values(), ids=ABIS)


def measure(kind: Any, abi: Abi) -> tuple[int, int]:
    """Size and alignment of a type of ctypes on another machine."""
    if kind is ctypes.c_void_p:  # others of these are names for numbers of a fixed size
        return abi.word, abi.word
    if issubclass(kind, ctypes.Array):
        size, alignment = measure(kind._type_, abi)
        return size * kind._length_, alignment
    if issubclass(kind, ctypes.Structure):
        end, widest = 0, 1
        for _, start, size, alignment in fields(kind, abi):
            end, widest = start + size, max(widest, alignment)
        return up(end, widest), widest
    size = ctypes.sizeof(kind)
    return size, min(size, abi.long_long) if size == 8 else size


def up(number: int, alignment: int) -> int:
    """The next multiple."""
    return -(-number // alignment) * alignment


def fields(kind: type[ctypes.Structure], abi: Abi) -> Iterator[tuple[str, int, int, int]]:
    """Each field with its offset, size and alignment; of what it is a structure, also inner."""
    offset = 0
    for name, member, *_ in kind._fields_:
        size, alignment = measure(member, abi)
        offset = up(offset, alignment)
        yield name, offset, size, alignment
        offset += size


def offsets(kind: type[ctypes.Structure], abi: Abi) -> dict[str, int]:
    """Offsets by name."""
    return {name: start for name, start, _, _ in fields(kind, abi)}


HERE = Abi(ctypes.sizeof(ctypes.c_void_p), ctypes.alignment(ctypes.c_uint64))


@pytest.mark.parametrize(
    "kind", [PidfdInfoStruct, CloneArgs, PollFd, Siginfo._Rt, uapi_files.FileHandleStruct]
)
def test_computation_agrees_with_ctypes_on_this_machine(kind: type[ctypes.Structure]) -> None:
    """Or what it says of others would be worth nothing."""
    assert measure(kind, HERE) == (ctypes.sizeof(kind), ctypes.alignment(kind))
    for name, start in offsets(kind, HERE).items():
        assert getattr(kind, name).offset == start


@every_abi
def test_pidfd_info_is_the_same_on_every_machine(abi: Abi) -> None:
    """Its padding is explicit: also where 64-bit numbers are aligned to four bytes."""
    assert measure(PidfdInfoStruct, abi)[0] == uapi.PIDFD_INFO_SIZE_VER3 == 88
    found = offsets(PidfdInfoStruct, abi)
    due = {"mask": 0, "cgroupid": 8, "pid": 16, "exit_code": 60, "coredump_mask": 64,
           "coredump_pad": 76, "supported_mask": 80}  # fmt: skip
    assert {name: found[name] for name in due} == due


@every_abi
def test_clone_args_are_the_same_on_every_machine(abi: Abi) -> None:
    """The header aligns each field to eight bytes, which so many of them are by themselves."""
    assert measure(CloneArgs, abi)[0] == 88
    assert list(offsets(CloneArgs, abi).values()) == list(range(0, 88, 8))


@every_abi
def test_pollfd_and_file_handle_are_the_same_on_every_machine(abi: Abi) -> None:
    """Nothing in them has the size of a pointer."""
    assert offsets(PollFd, abi) == {"fd": 0, "events": 4, "revents": 6}
    assert offsets(uapi_files.FileHandleStruct, abi) == {"bytes": 0, "type": 4, "data": 8}


@every_abi
def test_siginfo_begins_its_payload_where_a_pointer_would(abi: Abi) -> None:
    """``__ARCH_SI_PREAMBLE_SIZE``: 12 bytes, or 16 where pointers have eight."""
    found = offsets(Siginfo, abi)
    start = found["rt"]
    assert (found["head"], start) == (0, 12 if abi.word == 4 else 16)
    inner = offsets(Siginfo._Rt, abi)
    assert (start + inner["pid"], start + inner["uid"]) == (start, start + 4)
    assert start + inner["value"] == (20 if abi.word == 4 else 24)


@pytest.mark.timeout(600)
def test_python_of_another_word_size_runs_the_suite() -> None:
    """A 32-bit interpreter on a 64-bit kernel, from a tree that PIDFD_TESTS_OTHER_ROOT names."""
    tree = os.environ.get("PIDFD_TESTS_OTHER_ROOT")
    if not tree:
        pytest.skip("no tree with another Python in PIDFD_TESTS_OTHER_ROOT")
    place = [sys.executable, str(ROOT / "selftests" / "sandbox.py"), "another-root", tree, "--"]
    python = "/usr/bin/python3" if os.path.exists(f"{tree}/usr/bin/python3") else None
    python = python or "/usr/bin/" + min(
        name for name in os.listdir(f"{tree}/usr/bin") if name.startswith("python3.")
    )
    size = Run.of([*place, python, "-c", "import struct; print(struct.calcsize('P'))"])
    if size.code == CANNOT:
        pytest.skip(size.err.strip())
    assert int(size.out) != HERE.word, "it is of the same"
    run = Run.of(
        [*place, python, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"],
        timeout=580,
    )
    assert run.code == 0, run.out[-6000:] + run.err
    assert run.counts["passed"] > 100
