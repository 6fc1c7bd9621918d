"""Where what took time is kept: kernels, package lists, the guest's interpreter."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vmtest.errors import UserError

_UNFINISHED = ".new-"


def directory(name: str) -> Path:
    """A directory of the user's cache, made if it is not there."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = Path(base) / "pidfd-tests" / name
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot keep anything in {path}: {error.strerror}; set XDG_CACHE_HOME"
        ) from error
    return path


def sha256(path: Path) -> str:
    """The sum of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write(path: Path, text: str) -> None:
    """Write a file, whole or not at all."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def sweep(directory: Path, prefix: str) -> None:
    """Remove what runs that were killed have left: names of `prefix`, their pid and a suffix."""
    for path in directory.glob(f"{prefix}*"):
        match = re.fullmatch(rf"{re.escape(prefix)}(\d+)-\w+", path.name)
        if match and not Path(f"/proc/{match[1]}").exists():
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def scratch(place: Path) -> Iterator[Path]:
    """A directory in `place` that is gone afterwards, at the latest with the next one there."""
    sweep(place, _UNFINISHED)
    work = Path(tempfile.mkdtemp(dir=place, prefix=f"{_UNFINISHED}{os.getpid()}-"))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """A directory that becomes `target` when all went well, and never half of it."""
    with scratch(target.parent) as work:
        yield work
        shutil.rmtree(target, ignore_errors=True)
        try:
            work.rename(target)
        except OSError:  # another run was faster: its result is as good
            if not target.is_dir():
                raise


@contextmanager
def room(what: str) -> Iterator[None]:
    """Turn a full disk into one line."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(f"no space left for {what}") from error
