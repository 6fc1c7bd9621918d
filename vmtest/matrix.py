"""The list of the kernels of the matrix."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from vmtest.errors import UserError

LIST = Path(__file__).with_name("kernels.txt")


class Entry(NamedTuple):
    """One line: the name in the table, the package, the sum of the package."""

    label: str
    package: str
    sha256: str


def entries(path: Path = LIST) -> list[Entry]:
    """All lines, in order."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        if len(words) != 3:
            raise UserError(f"{path.name}:{number}: not LABEL PACKAGE@SUITE SHA256")
        found.append(Entry(*words))
    return found
