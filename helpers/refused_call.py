"""What stood in a ``with refused(...)``, for the text of its failure."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterator
from types import FrameType, ModuleType

_LONGEST_VALUE = 80


def inside(frame: FrameType) -> tuple[str, str]:
    """The body of the ``with refused(...)`` that `frame` is leaving, and the values in it."""
    tree = ast.parse("".join(linecache.getlines(frame.f_code.co_filename)))
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.With)
        and node.lineno <= frame.f_lineno <= (node.end_lineno or 0)
        and any("refused" in ast.dump(item) for item in node.items)
    ]
    if not around:
        return "the call", ""
    body = max(around, key=lambda node: node.lineno).body
    values = dict.fromkeys(name for statement in body for name in _values(statement, frame))
    return "; ".join(map(ast.unparse, body)), ", ".join(values)


def _values(statement: ast.stmt, frame: FrameType) -> Iterator[str]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and node.id in frame.f_locals:
            value = frame.f_locals[node.id]
            if not isinstance(value, ModuleType):
                shown = repr(value)
                cut = "..." if len(shown) > _LONGEST_VALUE else ""
                yield f"{node.id} = {shown[:_LONGEST_VALUE]}{cut}"
