"""Kernels, and their sources, out of Debian packages: kept without the rest of the package."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from vmtest import cache
from vmtest.archive import Archive, english
from vmtest.errors import UserError


class Unpacked(NamedTuple):
    """A kernel image and, where it is to be had, its configuration."""

    image: Path
    config: Path | None


_NO_DPKG = "dpkg-deb is missing: kernel packages cannot be opened"
_BROKEN = "{} is not a Debian package, or a broken one"
_NAME = re.compile(r"(?P<package>[a-z0-9][a-z0-9.+-]+)@(?P<suite>[a-z0-9.-]+)")


def from_file(deb: Path) -> Unpacked:
    """The kernel in a .deb, unpacked once and kept by the sum of the file."""
    home = cache.directory("kernels") / f"deb-{cache.sha256(deb)[:16]}"
    return _kept(home) or _keep(home, {"file": deb.name}, [deb])


def from_archive(name: str, sha256: str = "") -> Unpacked:
    """The kernel of ``PACKAGE@SUITE``; `sha256` is the sum that its .deb must have.

    A package that only depends on the newest kernel, as linux-image-amd64, stands for that one.
    """
    match = _NAME.fullmatch(name)
    if not match:
        raise UserError(f"{name} is not PACKAGE@SUITE, as linux-image-6.12.117+deb13-amd64@trixie")
    package, suite = match["package"], match["suite"]
    if not re.search(r"\d\.\d", package):  # whose kernel changes with time
        package = Archive(suite).newest(package)
    home = cache.directory("kernels") / f"{package}@{suite}"
    kept = _kept(home, sha256)
    if kept:
        return kept
    with (
        cache.room(f"the package {name}"),
        cache.scratch(cache.directory("kernels")) as directory,
    ):
        archive = Archive(suite)
        deb = archive.download(package, directory)
        found = cache.sha256(deb)
        if sha256 and found != sha256:
            raise UserError(f"{name} is not the package that was recorded: its sha256 is {found}")
        debs = [deb]
        # From 6.19 on Debian keeps the image and its configuration in two packages.
        base = package.replace("linux-binary-", "linux-base-")
        if base != package and archive.has(base):
            debs.append(archive.download(base, directory))
        return _keep(home, {"package": name, "deb_sha256": found}, debs)


def source_tarball(name: str) -> Path:
    """The tarball of a kernel's source in ``PACKAGE@SUITE``, such as Debian's linux-source-7.3."""
    match = _NAME.fullmatch(name)
    if not match:
        raise UserError(f"{name} is not PACKAGE@SUITE, as linux-source-7.3@trixie-backports")
    home = cache.directory("sources") / name
    kept = sorted(home.glob("*.tar.*"))
    if not kept:
        with cache.room(f"the package {name}"), cache.staged(home) as work:
            deb = Archive(match["suite"]).download(match["package"], work)
            _unpack_all(deb, work)
            found = sorted((work / "usr/src").glob("linux-source-*.tar.*"))
            if not found:
                raise UserError(f"{name} holds no kernel source")
            found[0].rename(work / found[0].name)
            deb.unlink()
        kept = sorted(home.glob("*.tar.*"))
    return kept[0]


def _kept(home: Path, deb_sha256: str = "") -> Unpacked | None:
    """What was unpacked earlier, if it is still what was written then."""
    try:
        record = json.loads((home / "origin.json").read_text())
    except (OSError, ValueError):
        return None
    if deb_sha256 and record.get("deb_sha256") != deb_sha256:
        return None
    for name, total in record["files"].items():
        if not (home / name).is_file() or cache.sha256(home / name) != total:
            return None
    return Unpacked(home / "vmlinuz", home / "config" if "config" in record["files"] else None)


def _keep(home: Path, record: dict[str, object], debs: list[Path]) -> Unpacked:
    with cache.room(f"the kernel in {debs[0].name}"), cache.staged(home) as work:
        for deb in debs:
            _unpack(deb, work)
        if not (work / "vmlinuz").is_file():
            raise UserError(f"{debs[0].name} holds no kernel image")
        record["files"] = {file.name: cache.sha256(file) for file in sorted(work.iterdir())}
        (work / "origin.json").write_text(json.dumps(record, indent=1))
    unpacked = _kept(home)
    assert unpacked, f"{home} was written a moment ago"
    return unpacked


def _unpack(deb: Path, target: Path) -> None:
    """Take ``vmlinuz`` and ``config`` out of a package, wherever its release keeps them."""
    patterns = ("./boot/vmlinuz-*", "./boot/config-*", "./*lib/modules/*/vmlinuz", "./*/config")
    with cache.scratch(target.parent) as directory:
        try:
            source = subprocess.Popen(
                ["dpkg-deb", "--fsys-tarfile", deb],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except FileNotFoundError as error:
            raise UserError(_NO_DPKG) from error
        with source:
            tar = ["tar", "x", "-C", str(directory), "--wildcards", *patterns]
            # Its code is that of patterns that found nothing, too.
            done = subprocess.run(
                tar, stdin=source.stdout, stderr=subprocess.PIPE, env=english(), check=False
            )
        _have_room(done.stderr.decode(errors="replace"))
        for file in sorted(directory.rglob("*")):
            name = file.name.partition("-")[0]
            if file.is_file() and name in ("vmlinuz", "config"):
                shutil.copyfile(file, target / name)
    if source.returncode:
        raise UserError(_BROKEN.format(deb))


def _unpack_all(deb: Path, target: Path) -> None:
    words = ["dpkg-deb", "-x", str(deb), str(target)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, env=english(), check=False)
    except FileNotFoundError as error:
        raise UserError(_NO_DPKG) from error
    _have_room(done.stderr)
    if done.returncode:
        raise UserError(_BROKEN.format(deb))


def _have_room(said: str) -> None:
    """Take a full disk out of what a tool said of it."""
    if os.strerror(errno.ENOSPC) in said:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
