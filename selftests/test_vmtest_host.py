"""What vmtest takes of the machine it runs on, and what it takes along into a guest."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from vmtest import __main__ as vmtest
from vmtest import host, images, root
from vmtest.errors import UserError


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A root with 8 GiB free, in a cgroup two below the top."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9999999 kB\nMemAvailable: 8388608 kB\n")
    (tmp_path / "proc/self/cgroup").write_text("1:cpu:/x\n0::/pod/box\n")
    (tmp_path / "sys/fs/cgroup/pod/box").mkdir(parents=True)
    return tmp_path


def test_machine_without_limits_is_all_ours(machine: Path) -> None:
    """By affinity, and by what the kernel calls available."""
    assert host.free_memory(str(machine)) == 8192
    assert host.cores(str(machine)) == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("group", ["pod", "pod/box"])
def test_limits_of_a_container_count(group: str, machine: Path) -> None:
    """Those of its own cgroup, and of any above it."""
    place = machine / "sys/fs/cgroup" / group
    for name, text in (("memory.max", f"{3 << 30}"), ("memory.current", f"{1 << 30}")):
        (place / name).write_text(f"{text}\n")
    (place / "cpu.max").write_text("100000 100000\n")
    assert (host.free_memory(str(machine)), host.cores(str(machine))) == (2048, 1)


def test_cgroup_without_a_limit_says_max(machine: Path) -> None:
    """Which is no number."""
    place = machine / "sys/fs/cgroup/pod"
    for name, text in (("memory.max", "max"), ("memory.current", "7"), ("cpu.max", "max 100000")):
        (place / name).write_text(f"{text}\n")
    assert host.free_memory(str(machine)) == 8192
    assert host.cores(str(machine)) == len(os.sched_getaffinity(0))


def test_loader_is_taken_by_both_of_its_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the one that programs ask for, and by the one where it lies."""
    asked, lies, other = (tmp_path / name for name in ("lib64", "usr-lib64", "libc"))
    for path in (asked, lies, other):
        path.touch()
    said = f"/bin/python:\n\tlinux-vdso.so.1 (0x7f)\n\tlibc.so.6 => {other} (0x7f)\n"
    said += f"\t{asked} => {lies} (0x7f)\n\tlibgone.so => not found\n"
    monkeypatch.setattr(
        subprocess, "run", lambda words, **_: subprocess.CompletedProcess(words, 0, said, "")
    )
    assert root._libraries([Path("/bin/python")]) == sorted([asked, lies, other])


def test_package_without_a_list_of_its_files_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As distributions install them: what belongs to it cannot be known."""
    monkeypatch.setattr(metadata.Distribution, "files", None)
    with pytest.raises(UserError, match="was installed without a list of its files: use tox -e vm"):
        root._distributions()


def test_nohup_is_meant() -> None:
    """A hangup that is ignored stays ignored; one that is not ends the run."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with vmtest.ending_by_exception():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        with vmtest.ending_by_exception():
            assert callable(signal.getsignal(signal.SIGHUP))
    finally:
        signal.signal(signal.SIGHUP, before)


def test_image_that_may_not_be_looked_at_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an ordinary user in a directory that is not his."""

    def refuse(_path: Path) -> bool:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "is_dir", refuse)
    with pytest.raises(UserError, match="locked/vmlinuz: Permission denied"):
        images.resolve("locked/vmlinuz")
