"""The mutants that someone chose: one entry, one rule broken.

An entry of catalogue/*.toml holds ``name``, ``file``, ``function``, ``find``, which must be there
once in that function, whatever the white space, and one of

``expression``  what takes its place, as a value of the same kind
``statement``   what takes its place, as statements (empty: nothing does)
``before``      statements to run ahead of it

A part of ``find`` between « and » is what is replaced; the rest says where. ``rule`` is what the
kernel then no longer keeps to, ``tests`` the folders of tests/ and ``c`` the programs of the C
suite that are about it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from mutants import schemata
from mutants.csource import NotApplicable
from mutants.schemata import Edit
from vmtest.errors import UserError

try:
    import tomllib
except ImportError:  # before Python 3.11, where pytest brings its twin along
    import tomli as tomllib  # type: ignore[no-redef]

DIRECTORY = Path(__file__).with_name("catalogue")
KINDS = ("expression", "statement", "before")
_WORDS = {"name", "file", "function", "find", "rule"}
_LISTS = {"tests", "c"}


class Mutant(NamedTuple):
    """A way to break the kernel; `operator` made it, or it is empty and someone chose it."""

    name: str
    file: str
    function: str
    rule: str
    tests: tuple[str, ...]
    c: tuple[str, ...] = ()
    find: str = ""
    kind: str = ""
    text: str = ""
    operator: str = ""
    line: int = 0


def read(path: Path) -> dict[str, Any]:
    """A file of this kind."""
    with path.open("rb") as file:
        try:
            return tomllib.load(file)
        except tomllib.TOMLDecodeError as error:
            raise UserError(f"{path.name}: {error}") from error


def load(directory: Path = DIRECTORY) -> list[Mutant]:
    """All entries, in the order of the files' names."""
    found = []
    for path in sorted(directory.glob("*.toml")):
        entries = read(path).get("mutant", [])
        found += [_mutant(path.name, number, entry) for number, entry in enumerate(entries, 1)]
    names = [mutant.name for mutant in found]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"two mutants are called {name}")
    return found


def _mutant(where: str, number: int, entry: dict[str, Any]) -> Mutant:
    kinds = [kind for kind in KINDS if kind in entry]
    strange = set(entry) - _WORDS - _LISTS - set(KINDS)
    missing = (_WORDS | _LISTS) - set(entry)
    if strange or missing or len(kinds) != 1:
        what = f"misses {sorted(missing)}" if missing else f"has {sorted(strange) or kinds}"
        raise UserError(f"{where}: mutant {number} ({entry.get('name', '?')}) {what}")
    fields = {**entry, "tests": tuple(entry["tests"]), "c": tuple(entry["c"])}
    text = fields.pop(kinds[0])
    return Mutant(**fields, kind=kinds[0], text=text)


def edit(mutant: Mutant, number: int, text: str) -> Edit:
    """What the mutant changes in the text of its file."""
    try:
        span = schemata.locate(text, mutant.function, mutant.find)
    except NotApplicable as error:
        message = f"mutant {mutant.name} does not apply to {mutant.file}: {error}"
        raise NotApplicable(message) from error
    if mutant.kind == "before":
        right = text[slice(*span)]
        return Edit(number, span, schemata.STATEMENT, f"{mutant.text} {right}")
    return Edit(number, span, mutant.kind, mutant.text)
