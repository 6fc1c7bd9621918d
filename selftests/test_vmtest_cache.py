"""What vmtest keeps on the disk: whole or not at all, and nothing of runs that were killed."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import mutants.__main__ as mutants
from mutants import tree
from selftests.runner import ROOT
from vmtest import __main__ as vmtest
from vmtest import archive, cache, images, packages
from vmtest.errors import UserError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_full_disk_is_one_line() -> None:
    """A package that does not fit."""
    with pytest.raises(UserError, match="no space left for it"), cache.room("it"):
        raise OSError(errno.ENOSPC, "No space left on device")


def full(*_: object, **__: object) -> None:
    """A disk on which nothing can be written."""
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("main", [vmtest.main, mutants.main], ids=["vmtest", "mutants"])
def test_full_disk_is_one_line_wherever_it_is_met(
    main: Callable[[list[str]], int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Not only where packages are unpacked."""
    monkeypatch.setattr(vmtest, "_collect", full)
    monkeypatch.setattr(tree, "find", full)
    assert main(["x"]) == 2
    assert capsys.readouterr().err.endswith(": no space left for what is made and kept\n")


def test_full_disk_leaves_no_half_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tar tells of it by its words alone: its code is that of patterns that found nothing."""
    (tmp_path / "bin").mkdir()
    for name, script in (("dpkg-deb", ":"), ("tar", "echo tar: No space left on device >&2")):
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (tmp_path / "kernel.deb").touch()
    with pytest.raises(UserError, match="no space left for the kernel in kernel.deb"):
        images.resolve(str(tmp_path / "kernel.deb"))


@pytest.mark.parametrize("tool", ["broken", "missing"])
def test_source_package_that_cannot_be_opened_is_one_line(
    tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And none is kept."""
    monkeypatch.setattr(archive.Archive, "__init__", lambda self, suite: None)

    def download(_: object, package: str, directory: Path) -> Path:
        (directory / f"{package}.deb").write_bytes(b"!<arch>\nnonsense")
        return directory / f"{package}.deb"

    monkeypatch.setattr(archive.Archive, "download", download)
    if tool == "missing":
        monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError) as caught:
        packages.source_tarball("linux-source-7.3@sid")
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "cache/pidfd-tests/sources").iterdir())


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    """That of a run that goes on stays."""
    script = (
        "import os, pathlib, sys; from vmtest import cache\n"
        "with cache.staged(pathlib.Path(sys.argv[1])) as work:\n"
        "    (work / 'file').touch(); os.kill(os.getpid(), 9)\n"
    )
    target = tmp_path / "kept"
    subprocess.run([sys.executable, "-c", script, str(target)], cwd=ROOT, check=False)
    left = list(tmp_path.iterdir())
    assert len(left) == 1
    with cache.staged(target) as mine, cache.staged(target) as second:
        assert sorted(tmp_path.iterdir()) == sorted([mine, second])
    assert list(tmp_path.iterdir()) == [target]
