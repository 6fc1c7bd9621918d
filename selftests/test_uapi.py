"""Numbers and structures, against what the kernel's headers give on known machines."""

from __future__ import annotations

import ctypes
import importlib.util
import os
from types import ModuleType, SimpleNamespace

import pytest

from helpers import premises, syscalls, uapi, uapi_sockets, uapi_structs
from helpers.info import Exited, Ids, Killed, PidfdInfo, decode_info, decode_wait_status
from helpers.uapi import CloneFlag, CoredumpMask, InfoMask, PidfdFlag, PidfdInfoStruct, PollEvent


def uapi_of(machine: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module as it is on `machine`."""
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine=machine))
    module = _again(uapi)
    assert machine == module.MACHINE
    return module


def _again(module: ModuleType) -> ModuleType:
    assert module.__spec__ is not None
    assert module.__spec__.origin is not None
    spec = importlib.util.spec_from_file_location("uapi_elsewhere", module.__spec__.origin)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.mark.parametrize("machine", ["x86_64", "i686", "armv7l", "aarch64", "riscv64", "s390x"])
@pytest.mark.parametrize(
    ("size", "number"), [(64, 0xC040FF0B), (72, 0xC048FF0B), (80, 0xC050FF0B), (88, 0xC058FF0B)]
)
def test_get_info_where_sizes_have_14_bits(
    machine: str, size: int, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Direction in the two highest bits, read and write."""
    assert uapi_of(machine, monkeypatch).pidfd_get_info(size) == number


@pytest.mark.parametrize("machine", ["ppc64le", "ppc64", "mips64", "sparc64", "alpha"])
@pytest.mark.parametrize(("size", "number"), [(64, 0xC040FF0B), (88, 0xC058FF0B)])
def test_get_info_where_sizes_have_13_bits(
    machine: str, size: int, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read is 2 and write 4 in three bits, which together look the same."""
    assert uapi_of(machine, monkeypatch).pidfd_get_info(size) == number


@pytest.mark.parametrize(
    ("abi", "number"), [("x86_64", 60), ("i386", 1), ("ppc", 1), ("aarch64", 93), ("riscv32", 93)]
)
def test_numbers_of_calls_are_those_of_the_abi(
    abi: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By that of exit."""
    monkeypatch.setattr(uapi, "ABI", abi)
    module = _again(syscalls)
    assert (module.KNOWN, module.NUMBERS.exit) == (True, number)


@pytest.mark.parametrize("abi", ["mips", "mips64", "sparc64", "m68k", "parisc64", "alpha", "sh4"])
def test_machine_whose_numbers_are_not_known_is_told(
    abi: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another call than exit would be made by the number of exit."""
    monkeypatch.setattr(uapi, "ABI", abi)
    monkeypatch.setattr(premises, "ABI", abi)
    monkeypatch.setattr(premises, "syscalls", _again(syscalls))
    assert premises.missing() == (
        "the system call numbers of this machine are not known here: "
        f"helpers/syscalls.py lacks those of {abi}"
    )


@pytest.mark.parametrize(("machine", "number"), [("x86_64", 0xFF01), ("ppc64le", 0x2000FF01)])
def test_ioctl_without_argument(machine: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """``_IOC_NONE`` is 1 on the machines with 13 bits."""
    assert uapi_of(machine, monkeypatch).ioctl_none(0xFF, 1) == number


@pytest.mark.parametrize(
    ("field", "offset"),
    [
        ("mask", 0),
        ("cgroupid", 8),
        ("pid", 16),
        ("tgid", 20),
        ("ppid", 24),
        ("ruid", 28),
        ("fsgid", 56),
        ("exit_code", 60),
        ("coredump_mask", 64),
        ("coredump_signal", 68),
        ("coredump_code", 72),
        ("supported_mask", 80),
    ],
)
def test_offsets_in_pidfd_info(field: str, offset: int) -> None:
    """As ``include/uapi/linux/pidfd.h`` lays them out."""
    assert getattr(PidfdInfoStruct, field).offset == offset


def test_sizes() -> None:
    """Of what goes to the kernel by address."""
    assert ctypes.sizeof(PidfdInfoStruct) == uapi.PIDFD_INFO_SIZE_VER3 == 88
    assert ctypes.sizeof(uapi_structs.Siginfo) <= uapi_structs.SIGINFO_SIZE == 128
    assert ctypes.sizeof(uapi_structs.PollFd) == 8
    assert ctypes.sizeof(uapi_structs.Iovec) == 2 * ctypes.sizeof(ctypes.c_void_p)


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (InfoMask.NONE, "NONE"),
        (InfoMask.EXIT, "EXIT"),
        (InfoMask.PID | InfoMask.EXIT, "PID|EXIT"),
        (InfoMask.PID | InfoMask(1 << 40), "PID|0x10000000000"),
        (InfoMask(1 << 63), "0x8000000000000000"),
        (PollEvent.IN | PollEvent.HUP, "IN|HUP"),
        (CloneFlag.NEWUSER | CloneFlag.NEWPID, "NEWUSER|NEWPID"),
        (PidfdFlag.THREAD, "THREAD"),
    ],
)
def test_flags_print_alike_on_every_python(flags: uapi.Flags, text: str) -> None:
    """``IntFlag`` itself changed its words in 3.11, and refuses nothing unknown here."""
    assert (str(flags), repr(flags), f"{flags}") == (text, text, text)


@pytest.mark.parametrize(
    ("status", "outcome", "words"),
    [
        (0x0000, Exited(0), "Exited(0)"),
        (0xFF00, Exited(255), "Exited(255)"),
        (0x0009, Killed(9), "Killed(SIGKILL)"),
        (0x008B, Killed(11, core_dumped=True), "Killed(SIGSEGV, core dumped)"),
        (0x0025, Killed(37), "Killed(SIGRTMIN+3)"),
        (0x0020, Killed(32), "Killed(32)"),
    ],
)
def test_wait_status_in_words(status: int, outcome: object, words: str) -> None:
    """Exit status in the second byte, signal and core bit in the first."""
    assert decode_wait_status(status) == outcome
    assert repr(outcome) == words


def test_fields_that_the_mask_does_not_vouch_for_are_none() -> None:
    """Whatever stands in the structure."""
    raw = PidfdInfoStruct(mask=InfoMask.EXIT, pid=7, cgroupid=8, exit_code=0x0300, coredump_mask=1)
    assert decode_info(raw) == PidfdInfo(mask=InfoMask.EXIT, exit=Exited(3))


def test_whole_record_is_decoded() -> None:
    """Every field to its name; only what is told is printed."""
    mask = InfoMask.PID | InfoMask.CREDS | InfoMask.CGROUPID | InfoMask.COREDUMP
    ids = {"ruid": 1, "euid": 2, "suid": 3, "fsuid": 4, "rgid": 5, "egid": 6, "sgid": 7, "fsgid": 8}
    raw = PidfdInfoStruct(
        mask=mask, pid=9, tgid=10, ppid=11, cgroupid=12, coredump_mask=3, exit_code=13, **ids
    )
    assert decode_info(raw) == PidfdInfo(
        mask=mask,
        pid=9,
        tgid=10,
        ppid=11,
        uids=Ids(1, 2, 3, 4),
        gids=Ids(5, 6, 7, 8),
        cgroupid=12,
        coredump=CoredumpMask.COREDUMPED | CoredumpMask.SKIP,
    )
    told = repr(decode_info(PidfdInfoStruct(mask=InfoMask.EXIT)))
    assert told == "PidfdInfo(mask=EXIT, exit=Exited(0))"


@pytest.mark.parametrize(
    ("machine", "numbers"),
    [
        ("x86_64", (76, 77)),
        ("mips64", (76, 77)),
        ("parisc64", (0x404A, 0x404B)),
        ("sparc64", (0x55, 0x56)),
    ],
)
def test_options_of_sockets(
    machine: str, numbers: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two architectures have numbers of their own."""
    monkeypatch.setattr(uapi, "MACHINE", machine)
    found = _again(uapi_sockets)
    assert numbers == (found.SO_PASSPIDFD, found.SO_PEERPIDFD)
