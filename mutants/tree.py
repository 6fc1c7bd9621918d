"""A kernel tree with edits, beside the one that they are for, which is never written to.

It is made of links into the source; only what is edited, and the directories above it, are real.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from vmtest import cache, packages
from vmtest.errors import UserError, looking_at

_BUILT = (".config", "include/config", "arch/x86/include/generated")
_TARBALL = re.compile(r".+\.tar(?:\.(?:xz|gz|zst|bz2))?$")


_VERSION = re.compile(r"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION) *= *(\S*)", re.MULTILINE)


class Source(NamedTuple):
    """A kernel source, and the directory of the cache that is for it."""

    tree: Path
    home: Path
    origin: str
    version: str


def find(name: str) -> Source:
    """The source that the user names: a tree, a tarball, or ``PACKAGE@SUITE``."""
    with looking_at(name):
        return _find(name)


def _find(name: str) -> Source:
    path = Path(name)
    if path.is_dir():
        return _source(path.resolve(), "", str(path.name))
    if path.is_file() and _TARBALL.fullmatch(path.name):
        key = cache.sha256(path)
        return _source(_unpacked(path, key), key, path.name)
    if "@" in name and not path.exists():
        tarball = packages.source_tarball(name)
        key = cache.sha256(tarball)
        return _source(_unpacked(tarball, key), key, name)
    raise UserError(f"{name} is no kernel tree, no tarball of one, and no PACKAGE@SUITE")


def _home(key: str) -> Path:
    return cache.directory("mutants") / key[:16]


def _unpacked(tarball: Path, key: str) -> Path:
    tree = _home(key) / "source"
    if not tree.is_dir():
        _home(key).mkdir(exist_ok=True)
        with cache.room(f"the source in {tarball.name}"), cache.staged(tree) as work:
            words = ["tar", "xf", str(tarball), "-C", str(work), "--strip-components=1"]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            if done.returncode:
                said = (done.stderr.strip().splitlines() or ["tar failed"])[0]
                raise UserError(f"{tarball} cannot be unpacked: {said}")
    return tree


def _source(tree: Path, key: str, origin: str) -> Source:
    """The tree as a source; without a `key` it is known by its place and its version."""
    try:
        head = (tree / "Makefile").read_text(encoding="utf-8")[:2000]
    except OSError as error:
        raise UserError(f"{tree} is no kernel tree: it has no Makefile") from error
    parts = dict(_VERSION.findall(head))
    if "PATCHLEVEL" not in parts or not (tree / "fs/pidfs.c").is_file():
        raise UserError(f"{tree} is no kernel tree that has pidfs (v6.9 or newer)")
    for name in _BUILT:
        if (tree / name).exists():
            raise UserError(f"{tree} was built in place ({name}): clean it, or name another copy")
    version = f"{parts['VERSION']}.{parts['PATCHLEVEL']}.{parts.get('SUBLEVEL') or 0}"
    version += parts.get("EXTRAVERSION", "")
    home = _home(key or hashlib.sha256(f"{tree} {version}".encode()).hexdigest())
    home.mkdir(exist_ok=True)
    return Source(tree, home, origin, version)


def digest(tree: Path) -> str:
    """What tells one state of a tree from another, as make would: names, sizes and times."""
    found = []
    for directory, names, files in os.walk(tree):
        names[:] = sorted(name for name in names if name != ".git")
        for file in sorted(files):
            path = os.path.join(directory, file)
            about = os.lstat(path)
            found.append((os.path.relpath(path, tree), about.st_size, about.st_mtime_ns))
    return hashlib.sha256(repr(found).encode()).hexdigest()


def overlay(source: Path, target: Path, edited: Mapping[str, str]) -> None:
    """Make `target` the source with these files changed or added.

    What is as it was keeps its time, so that a build goes on where it stopped.
    """
    real = {Path(".")}
    for name in edited:
        real.update(Path(name).parents)
    target.mkdir(parents=True, exist_ok=True)
    for directory in sorted(real, key=lambda path: len(path.parts)):
        _open(source / directory, target / directory, {r.name for r in real if r.parent == directory
                                                       and r != directory})  # fmt: skip
    for name, text in edited.items():
        file = target / name
        if file.is_symlink():
            file.unlink()
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
    _restore(source, target, set(edited))


def _open(source: Path, target: Path, real: set[str]) -> None:
    """A real directory of links; those that are to be real themselves are left out."""
    if target.is_symlink():
        target.unlink()
    target.mkdir(exist_ok=True)
    if not source.is_dir():
        return
    for entry in os.scandir(source):
        place = target / entry.name
        if (entry.name in real and entry.is_dir()) or place.is_symlink() or place.exists():
            continue
        place.symlink_to(entry.path)


def _restore(source: Path, target: Path, edited: set[str]) -> None:
    """Put back what an earlier overlay changed and this one does not, as a copy: make sees it."""
    for directory, names, files in os.walk(target):
        inside = Path(directory).relative_to(target)
        names[:] = [name for name in names if not (Path(directory) / name).is_symlink()]
        for name in files:
            path, original = Path(directory) / name, source / inside / name
            if path.is_symlink() or str(inside / name) in edited:
                continue
            if not original.exists():
                path.unlink()
            elif path.read_bytes() != original.read_bytes():
                path.write_bytes(original.read_bytes())
