"""Byte code for a guest, which takes ten times longer to compile than this machine does."""

from __future__ import annotations

import functools
import importlib.util
import marshal
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from vmtest import cache

_COLLECT = (
    "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider",
    "-p", "vmtest.guest.reporter",
)  # fmt: skip
_LONGEST = 120.0


def trusted(source: bytes, file: str) -> bytes:
    """The .pyc of `source` as `file`, which is not compared with its source's time (PEP 552)."""
    code = compile(source, file, "exec", dont_inherit=True)
    return (
        importlib.util.MAGIC_NUMBER
        + (1).to_bytes(4, "little")
        + importlib.util.source_hash(source)
        + marshal.dumps(code)
    )


@functools.cache
def rewritten(project: Path) -> tuple[tuple[Path, Path], ...]:
    """What pytest makes of the modules whose assertions it rewrites: pairs of it and its source.

    It is pytest that makes them, by a collection here, and a guest's pytest compares each with its
    source: one that does not fit is made anew there, and only time is lost.
    """
    prefix = cache.directory("bytecode")
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(prefix)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        subprocess.run(
            [sys.executable, *_COLLECT],
            cwd=project,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pass
    return tuple(_found(prefix))


def _found(prefix: Path) -> Iterator[tuple[Path, Path]]:
    tag = sys.implementation.cache_tag
    for path in sorted(prefix.rglob(f"*.{tag}-pytest-*.pyc")):
        source = "/" / path.relative_to(prefix).with_name(path.name.partition(f".{tag}")[0] + ".py")
        if source.is_file():
            yield path, source
