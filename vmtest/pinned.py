"""Holds what was skipped on a kernel against the lists of ``helpers.pins``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from helpers import pins
from helpers.kernel import parse_release
from vmtest.errors import UserError
from vmtest.results import FINISHED, SKIPPED, KernelResult


def list_of(release: str, directory: Path, *, root: bool) -> Path:
    """The list for a kernel and a user."""
    return directory / pins.file_name(parse_release(release), root=root)


def require(releases: Iterable[str], directory: Path, *, root: bool) -> None:
    """Refuse kernels of which there is no list."""
    for release in releases:
        file = list_of(release, directory, root=root)
        if not file.is_file():
            raise _missing(file)


def _missing(file: Path) -> UserError:
    return UserError(f"no list {file}: make one with --write-pins, and read it")


def _of(result: KernelResult, directory: Path) -> Path:
    return list_of(result.release, directory, root=result.user == "root")


def skips(result: KernelResult) -> pins.Skips:
    """What was skipped."""
    return pins.of_cases((test.name, test.why) for test in result.tests if test.outcome == SKIPPED)


def compare(result: KernelResult, directory: Path, *, whole: bool) -> None:
    """Note in a result how it differs from its list, which must be there."""
    file = _of(result, directory)
    try:
        pinned = pins.parse(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise _missing(file) from error
    if not result.is_whole:  # which is said already
        return
    seen = None if whole else {pins.function(test.name) for test in result.tests}
    result.unpinned = pins.differences(pinned, skips(result), seen=seen)


def write(result: KernelResult, directory: Path) -> None:
    """Make the list of a result anew."""
    if not result.is_whole:
        how = f"pytest ended with {result.code}" if result.end == FINISHED else result.end
        raise UserError(f"{result.label}: {how}: no list can be made of that")
    directory.mkdir(parents=True, exist_ok=True)
    _of(result, directory).write_text(pins.render(skips(result)), encoding="utf-8")


def write_all(found: Iterable[KernelResult], directory: Path) -> None:
    """Make those lists that can be made; raises at the end for the others."""
    refused = []
    for result in found:
        try:
            write(result, directory)
        except UserError as error:
            refused.append(str(error))
    if refused:
        raise UserError("; ".join(refused))
