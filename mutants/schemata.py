"""All mutants in one source: each edit beside the text that it replaces, behind a switch.

``MUTANT(n)`` is true in the kernel in which number n was chosen at run time; with none chosen
the source means what it meant before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mutants import csource
from mutants.csource import NotApplicable, Span

EXPRESSION, STATEMENT, CONDITION = "expression", "statement", "condition"
OPENED, CLOSED = "«", "»"
_ORDER = (STATEMENT, CONDITION, EXPRESSION)


class Edit(NamedTuple):
    """One part of a file and what stands there in one mutant."""

    number: int
    span: Span
    kind: str
    broken: str


def locate(text: str, function: str, find: str) -> Span:
    """The part of `function` that `find` means, which must be there once.

    Where `find` marks a part of itself with «», that part is meant and the rest is around it.
    """
    bodies = csource.bodies(text, function)
    if not bodies:
        raise NotApplicable(f"there is no function {function}()")
    before, marked, rest = find.partition(OPENED)
    inside, _, after = rest.partition(CLOSED)
    if not marked:
        before, inside = "", find
    found = [
        span for body in bodies for span in csource.occurrences(text, body, before + inside + after)
    ]
    if len(found) != 1:
        often = f"{len(found)} times" if found else "not at all"
        raise NotApplicable(f"{function}() has the text {often}: {' '.join(find.split())}")
    return _inner(text, found[0], before, inside)


def _inner(text: str, whole: Span, before: str, inside: str) -> Span:
    """The marked part: as many visible characters into `whole` as stand before the mark."""
    visible = csource.without_comments(text)
    places = [i for i in range(*whole) if not visible[i].isspace()]
    skipped = len("".join(before.split()))
    length = len("".join(inside.split()))
    return Span(places[skipped], places[skipped + length - 1] + 1)


def compose(text: str, edits: Iterable[Edit]) -> str:
    """The text with every edit behind its switch."""
    ordered = sorted(edits, key=lambda e: (e.span.start, -e.span.end, _ORDER.index(e.kind)))
    return _render(text, Span(0, len(text)), ordered)


def _render(text: str, span: Span, edits: Sequence[Edit]) -> str:
    out, at, left = "", span.start, list(edits)
    while left:
        outer = left[0]
        same = [edit for edit in left if (edit.span, edit.kind) == (outer.span, outer.kind)]
        inner = [e for e in left if e not in same and e.span.start < outer.span.end]
        for edit in inner:
            if edit.span.end > outer.span.end:
                raise NotApplicable(f"the edits {outer.number} and {edit.number} overlap")
        right = _render(text, outer.span, inner) if inner else text[slice(*outer.span)]
        out += text[at : outer.span.start] + _switch(same, right)
        at = outer.span.end
        left = [edit for edit in left if edit.span.start >= at]
    return out + text[at : span.end]


def _switch(edits: Sequence[Edit], right: str) -> str:
    for edit in edits:
        if edit.kind == CONDITION:  # of a pointer, perhaps, which is not of its negation's kind
            right = f"(MUTANT({edit.number}) ? !!({edit.broken}) : !!({right}))"
        elif edit.kind == EXPRESSION:
            right = f"(MUTANT({edit.number}) ? ({edit.broken}) : ({right}))"
        else:
            right = f"{{ if (MUTANT({edit.number})) {{ {edit.broken} }} else {{ {right} }} }}"
    return right
