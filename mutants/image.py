"""The one kernel that holds every mutant."""

from __future__ import annotations

from pathlib import Path

from mutants import build, catalogue, schemata, targets
from mutants.build import BuildFailed, Workshop
from mutants.catalogue import Mutant
from mutants.schemata import Edit
from vmtest.errors import UserError
from vmtest.images import Kernel

_FIRST_AUTOMATIC = 1001
_SWITCH_FILE = "fs/pidfs.c"


def prepare(source: Path) -> list[tuple[Mutant, Edit]]:
    """Every mutant with its edit: the chosen ones first, then what operators make."""
    texts: dict[str, str] = {}
    chosen = []
    for number, mutant in enumerate(catalogue.load(), 1):
        if mutant.file not in texts:
            texts[mutant.file] = _text(source, mutant.file)
        chosen.append((mutant, catalogue.edit(mutant, number, texts[mutant.file])))
    return chosen + targets.automatic(source, _FIRST_AUTOMATIC, chosen)


def _text(source: Path, name: str) -> str:
    try:
        return (source / name).read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"this source has no {name}") from error


def edited(source: Path, mutants: list[tuple[Mutant, Edit]]) -> dict[str, str]:
    """The files that differ from the source's, all mutants in them."""
    files = {build.HEADER: build.HEADER_TEXT}
    for name in dict.fromkeys(mutant.file for mutant, _ in mutants):
        edits = [edit for mutant, edit in mutants if mutant.file == name]
        files[name] = build.INCLUDE + schemata.compose(_text(source, name), edits)
    files[_SWITCH_FILE] += build.SWITCH_TEXT
    return files


def make(shop: Workshop, mutants: list[tuple[Mutant, Edit]]) -> tuple[Kernel, list[str]]:
    """The kernel of all mutants, and the names of those that the compiler refused.

    Only mechanical ones may be refused: they are left out, and the rest is built.
    """
    refused: list[str] = []
    kept = list(mutants)
    while True:
        try:
            return shop.kernel("mutants", edited(shop.source.tree, kept)), refused
        except BuildFailed as failure:
            places = {(file, line) for file, line, _ in failure.errors}
            bad = [m.name for m, e in kept if m.operator and _is_at(shop, m, e, places)]
            if not bad:
                raise
            refused += bad
            kept = [pair for pair in kept if pair[0].name not in bad]


def _is_at(shop: Workshop, mutant: Mutant, edit: Edit, places: set[tuple[str, int]]) -> bool:
    text = _text(shop.source.tree, mutant.file)
    last = text.count("\n", 0, edit.span.end) + 1
    return any((mutant.file, line) in places for line in range(mutant.line, last + 1))
