"""Known kernel bugs: a reviewed list, by which a failure is expected and a pass is reported.

An entry says which test a bug fails, with which symptom, on which kernels. Nothing is retried,
and a failure with another symptom stays a failure.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from helpers.kernel import Release, parse_full_release

try:
    import tomllib
except ImportError:  # before Python 3.11, where pytest brings its twin along
    import tomli as tomllib  # type: ignore[no-redef]

_REQUIRED = {"test", "symptom", "what", "since"}
_OPTIONAL = {"fixed", "commit", "stable", "certain", "link"}


_KINDS: dict[str, type] = {"certain": bool, "stable": list}
_WORDS: dict[type, str] = {str: "text", bool: "true or false", list: "list"}


class BrokenFile(ValueError):
    """The list cannot be used; the text says where and why, in one line."""


class Issue(NamedTuple):
    """One bug: kernels from `since` up to, but not including, `fixed` have it.

    Without `fixed` no kernel is known to be without it. `commit` is the fix, `stable` are the
    stable releases that brought it to older series. A `certain` bug fails its tests each time: a
    pass means that the entry, or the test, is wrong.
    """

    test: str
    symptom: str
    what: str
    since: Release
    fixed: Release | None = None
    commit: str = ""
    stable: tuple[Release, ...] = ()
    certain: bool = True
    link: str = ""

    def affects(self, release: Release) -> bool:
        """Whether the kernel of `release` has the bug."""
        backported = any(
            fix[:2] == release[:2] and release >= fix for fix in self.stable if len(fix) > 2
        )
        fixed = backported or (self.fixed is not None and release >= self.fixed)
        return release >= self.since and not fixed

    def concerns(self, nodeid: str) -> bool:
        """Whether it is about the test `nodeid`; a pattern without brackets means all of them."""
        name = nodeid if "[" in self.test else nodeid.partition("[")[0]
        return fnmatchcase(name.replace("[", "("), self.test.replace("[", "("))

    def explains(self, failure: str) -> bool:
        """Whether the text of a failure shows this bug's symptom."""
        return re.search(self.symptom, failure) is not None

    def __str__(self) -> str:
        fix = f"fixed by {self.commit}" if self.fixed else "no fix is known"
        return f"known kernel bug: {self.what}; {fix}"


def load(path: Path) -> list[Issue]:
    """The entries of the file at `path`; raises `BrokenFile`."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BrokenFile(f"{path.name}: {error}") from error
    entries = content.pop("issue", [])
    if content or not isinstance(entries, list):
        raise BrokenFile(f"{path.name}: only [[issue]] entries belong there, not {[*content]}")
    return [_issue(entry, f"{path.name}, issue {n}") for n, entry in enumerate(entries, 1)]


def _issue(entry: dict[str, Any], where: str) -> Issue:
    missing, unknown = _REQUIRED - set(entry), set(entry) - _REQUIRED - _OPTIONAL
    if missing or unknown:
        wrong = f"lacks {sorted(missing)}" if missing else f"has unknown keys {sorted(unknown)}"
        raise BrokenFile(f"{where} {wrong}")
    for key, value in entry.items():
        kind = _KINDS.get(key, str)
        if not isinstance(value, kind) or value == "":
            raise BrokenFile(f"{where}: {key} is {value!r}, which is no {_WORDS[kind]}")
    try:
        re.compile(entry["symptom"])
        versions: dict[str, Any] = {
            key: parse_full_release(entry[key]) for key in ("since", "fixed") if key in entry
        }
        if ("fixed" in entry) != ("commit" in entry):
            raise ValueError("a fix has both: fixed and commit")
        stable = tuple(map(parse_full_release, entry.get("stable", ())))
        if any(len(fix) < 3 for fix in stable):
            raise ValueError("stable lists stable releases, such as 6.18.45")
    except (re.error, TypeError, ValueError) as error:
        raise BrokenFile(f"{where}: {error}") from error
    fields: dict[str, Any] = {**entry, **versions, "stable": stable}
    return Issue(**fields)


def unmatched(issues: Iterable[Issue], root: Path) -> list[Issue]:
    """Entries about tests that are not in the files below `root`: stale, or mistyped.

    The files themselves are asked, since a run may collect any part of them.
    """
    return [issue for issue in issues if not any(map(issue.concerns, _tests(issue, root)))]


def _tests(issue: Issue, root: Path) -> Iterator[str]:
    """The tests that an entry may be about; parameters are taken for right."""
    pattern, _, rest = issue.test.partition("::")
    _, bracket, params = rest.partition("[")
    for path in root.glob(pattern):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                yield f"{path.relative_to(root)}::{node.name}{bracket}{params}"
