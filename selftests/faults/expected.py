"""What is stated of each fault: the tests that it must fail, in ``expected/SUBJECT.txt``.

A fault stands alone in its line; the tests follow indented, from ``tests/`` on. Each stands for
all its parameter sets, or for those that ``[...]`` behind it names, where ``*`` is any text.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from helpers import pins

ROOT = Path(__file__).resolve().parent.parent.parent
_HERE = Path(__file__).resolve().parent / "expected"


def of_subject(subject: str) -> dict[str, list[str]]:
    """The faults of one subject, each with the tests that it must fail."""
    found: dict[str, list[str]] = {}
    path = _HERE / f"{subject}.txt"
    for line in path.read_text("utf-8").splitlines() if path.exists() else []:
        if line.startswith(" "):
            found[next(reversed(found))].append(f"tests/{line.strip()}")
        elif line and not line.startswith("#"):
            assert line not in found, f"{line} stands twice in {path}"
            found[line] = []
    return found


def files(stated: dict[str, list[str]]) -> list[str]:
    """The test modules that are named."""
    return sorted({test.partition("::")[0] for tests in stated.values() for test in tests})


def matches(stated: str, node: str) -> bool:
    """Whether a pytest node is one of the stated tests."""
    wanted, bracket, params = stated.partition("[")
    if not bracket:
        return pins.function(node) == wanted
    pattern = ".*".join(map(re.escape, params.split("*")))
    return bool(re.fullmatch(re.escape(f"{wanted}[") + pattern, node))


def functions() -> Iterator[str]:
    """Every test function of tests/."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield f"{path.relative_to(ROOT)}::{node.name}"
