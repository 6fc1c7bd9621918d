"""What of the kernel's pidfd code a run reaches: gcov's counts, fetched out of the machine."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mutants import csource, page, targets
from vmtest.errors import UserError
from vmtest.markdown import table_of

OPTIONS = ("CONFIG_DEBUG_FS=y", "CONFIG_GCOV_KERNEL=y")
_PIDFS = "fs/pidfs.c"


class Reached(NamedTuple):
    """Lines and branches of one file: those there are, and those that were taken."""

    lines: dict[int, int]
    branches: dict[tuple[int, int], int]

    def share(self) -> tuple[str, str]:
        """Both as text."""
        return _share(self.lines.values()), _share(self.branches.values())


def _share(counts: Iterable[int]) -> str:
    found = list(counts)
    taken = sum(count > 0 for count in found)
    return f"{taken} of {len(found)} ({100 * taken / len(found):.1f} %)" if found else "-"


def wanted(source: Path) -> dict[str, set[str]]:
    """The functions that are counted, by file; none means all."""
    found: dict[str, set[str]] = defaultdict(set)
    for file, function, _ in targets.functions(source):
        found[file].add(function)
    return {**found, _PIDFS: set()}


def makefiles(source: Path) -> dict[str, str]:
    """The Makefiles that have these files profiled."""
    edited: dict[str, str] = {}
    for file in wanted(source):
        name = str(Path(file).parent / "Makefile")
        text = edited.get(name) or (source / name).read_text(encoding="utf-8")
        edited[name] = f"{text}\nGCOV_PROFILE_{Path(file).stem}.o := y\n"
    return edited


def read(records: Iterable[Mapping[str, Any]], objects: Path, source: Path) -> dict[str, Reached]:
    """The counts that a machine told, by file; `objects` holds the notes of the compiler."""
    asked = wanted(source)
    found: dict[str, Reached] = {}
    with tempfile.TemporaryDirectory() as directory:
        for record in records:
            name = Path(record["gcov"])
            file = next((f for f in asked if name.as_posix().endswith(f"{f[:-2]}.gcda")), None)
            if file:
                data = base64.b64decode(record["content"])
                found[file] = _count(Path(directory), data, objects, file, asked[file])
    if _PIDFS not in found:
        raise UserError("the kernel gave no counts for fs/pidfs.c: was it built with gcov?")
    return found


def _count(work: Path, data: bytes, objects: Path, file: str, functions: set[str]) -> Reached:
    stem = Path(file).stem
    (work / f"{stem}.gcda").write_bytes(data)
    (work / f"{stem}.gcno").write_bytes((objects / file).with_suffix(".gcno").read_bytes())
    try:
        done = subprocess.run(
            ["gcov", "--json-format", "--branch-probabilities", f"{stem}.gcda"],
            cwd=work, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise UserError("gcov is missing: it comes with gcc, and reads what was counted") from error
    made = list(work.glob("*.gcov.json.gz"))
    if done.returncode or not made:
        raise UserError(f"gcov cannot read the counts of {file}: {done.stderr.strip()}")
    with gzip.open(made[0]) as opened:
        told = json.load(opened)
    made[0].unlink()
    lines: dict[int, int] = defaultdict(int)
    branches: dict[tuple[int, int], int] = defaultdict(int)
    for part in told["files"]:
        if part["file"].endswith(file):
            for entry in part["lines"]:
                if _is_wanted(entry.get("function_name", ""), functions):
                    lines[entry["line_number"]] += entry["count"]
                    for number, branch in enumerate(entry["branches"]):
                        branches[entry["line_number"], number] += branch["count"]
    return Reached(dict(lines), dict(branches))


def _is_wanted(name: str, functions: set[str]) -> bool:
    """Whether a symbol is of one of these functions; a system call has several."""
    return not functions or any(name == f or name.endswith(f"_sys_{f}") or name.startswith(f"{f}.")
                              for f in functions)  # fmt: skip


def text(ours: dict[str, Reached], c: dict[str, Reached], source: Path) -> str:
    """The part of the page: shares side by side, and the lines that nobody reaches."""
    rows = []
    for file in sorted(ours, key=lambda name: (name != _PIDFS, name)):
        other = c.get(file, Reached({}, {}))
        (lines, branches), (c_lines, c_branches) = ours[file].share(), other.share()
        rows.append([file, lines, c_lines, branches, c_branches])
    out = "## Coverage\n\nfs/pidfs.c whole, of the others the functions that are about pidfds.\n\n"
    out += table_of(
        ["file", "lines, this suite", "lines, C suite", "branches, this suite",
         "branches, C suite"], rows,
    )  # fmt: skip
    return out + "\n" + _missed(ours, source)


def _function_at(text: str, line: int) -> str:
    for function in csource.functions(text):
        first, last = (text.count("\n", 0, at) + 1 for at in function.body)
        if first <= line <= last:
            return function.name
    return ""


def _missed(found: dict[str, Reached], source: Path) -> str:
    why = page.explanations()
    rows = []
    for file, reached in sorted(found.items(), key=lambda item: (item[0] != _PIDFS, item[0])):
        whole = (source / file).read_text(encoding="utf-8")
        text_ = whole.splitlines()
        for number in sorted(line for line, count in reached.lines.items() if not count):
            said = " ".join(text_[number - 1].split())
            reason = why.get(f"{_function_at(whole, number)}: {said}", "")
            rows.append([f"{file}:{number}", f"`{said}`", reason])
    if not rows:
        return ""
    return "Lines that this suite does not reach:\n\n" + table_of(["line", "", "why"], rows)
