"""Mutants that nobody chose: mechanical changes to every condition, return and call.

What survives them is a missing test, or a kernel that behaves the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mutants import csource, schemata
from mutants.csource import Span
from mutants.schemata import Edit

_CONDITION = re.compile(r"\b(?:if|while)\s*(?=\()")
_RETURN = re.compile(r"\breturn\b([^;]+);")
_ERRNO = re.compile(r"(?<![\w-])-E[A-Z0-9]+\b")
_CALL = re.compile(r"(?:(?<=[;{}])|(?<=\)\n)|(?<=else))\s*([a-z_]\w*)\s*(?=\()")
_ASSIGNMENT = re.compile(r"(?<=[;{}])\s*([\w.>\-*]+(?:\.|->)\w+|\w+)\s*(\|=|&=|=)(?!=)([^;{}]+);")
_SWAPS = {
    "PIDTYPE_PID": "PIDTYPE_TGID", "PIDTYPE_TGID": "PIDTYPE_PID", "EPOLLIN": "0",
    "EPOLLRDNORM": "0", "EPOLLHUP": "0", "SIGKILL": "SIGTERM", "O_CLOEXEC": "0",
    "PIDFD_THREAD": "0", "PIDFD_AUTOKILL": "0", "PIDFD_STALE": "0",
}  # fmt: skip

# The kernel's own checks of itself.
_CHECKS = re.compile(r"\b(?:BUILD_BUG_ON|\w*WARN\w*|BUG_ON)\s*\((?:[^()]|\([^()]*\))*\)\s*;")

# Their loss hangs or corrupts the machine, or changes nothing that one machine shows.
_UNTOUCHED = re.compile(
    r"lock|rcu|barrier|_mb\b|_rmb\b|_wmb\b|mb__|WARN|BUG|ASSERT|guard|CLASS|prefetch|annotate|"
    r"preempt|might_sleep|lockdep|trace|^if$|^while$|^for$|^switch$|^return$|^sizeof$|^put_|_put|"
    r"^kfree$|^INIT_|_init|^memset$|^get_|^mmdrop$|^mmput$|^fput$|^call_rcu$"
)


class Change(NamedTuple):
    """One change: where, what operator, what stands there instead."""

    operator: str
    span: Span
    kind: str
    broken: str


def changes(text: str, function: str) -> list[Change]:
    """Every change that the operators make of a function."""
    code = _CHECKS.sub(lambda match: " " * len(match[0]), csource.code_only(text))
    visible = csource.without_comments(text)
    found: list[Change] = []
    for body in csource.bodies(text, function):
        found += _conditions(code, visible, body)
        found += _returns(code, body)
        found += _constants(code, body)
        found += _statements(code, body)
    return _apart(sorted(found, key=lambda change: (change.span.start, -change.span.end)))


def edit(change: Change, number: int) -> Edit:
    """The change as an edit of the source."""
    return Edit(number, change.span, change.kind, change.broken)


def _expression(operator: str, span: Span, broken: str) -> Change:
    return Change(operator, span, schemata.EXPRESSION, broken)


def _conditions(code: str, visible: str, body: Span) -> Iterator[Change]:
    for match in _CONDITION.finditer(code, *body):
        inside = Span(match.end() + 1, csource.closing(code, match.end()) - 1)
        said = " ".join(visible[slice(*inside)].split())
        if not said or "WARN" in said:
            continue
        yield Change("negate the condition", inside, schemata.CONDITION, f"!({said})")
        yield from _operands(code, inside)


def _operands(code: str, span: Span) -> Iterator[Change]:
    """Each operand of && or || alone: left out."""
    for operator, neutral in (("&&", "1"), ("||", "0")):
        parts = _split(code, span, operator)
        if len(parts) > 1:
            for part in parts:
                yield Change("drop an operand", part, schemata.CONDITION, neutral)
            return


def _split(code: str, span: Span, operator: str) -> list[Span]:
    parts, start, at = [], span.start, span.start
    while at < span.end:
        if code[at] in "([{":
            at = csource.closing(code, at)
        elif code.startswith(operator, at):
            parts.append(_trim(code, Span(start, at)))
            start = at = at + 2
        else:
            at += 1
    return [*parts, _trim(code, Span(start, span.end))]


def _trim(code: str, span: Span) -> Span:
    text = code[slice(*span)]
    start = span.start + len(text) - len(text.lstrip())
    return Span(start, start + len(text.strip()))


def _returns(code: str, body: Span) -> Iterator[Change]:
    for match in _RETURN.finditer(code, *body):
        value = _trim(code, Span(match.start(1), match.end(1)))
        said = code[slice(*value)]
        if said not in ("0", "NULL", "false"):
            yield _expression("return 0", value, "0")
        if said in ("0", "false"):
            yield _expression("return 1", value, "1" if said == "false" else "-EIO")


def _constants(code: str, body: Span) -> Iterator[Change]:
    for match in _ERRNO.finditer(code, *body):
        other = "-EPERM" if match[0] == "-EINVAL" else "-EINVAL"
        yield _expression("swap the error", Span(*match.span()), other)
    for match in re.finditer(r"\b(?:" + "|".join(_SWAPS) + r")\b", code[: body.end]):
        is_label = re.search(r"\bcase\s+$", code[body.start : match.start()][-40:])
        if match.start() > body.start and not is_label:
            yield _expression("swap the constant", Span(*match.span()), _SWAPS[match[0]])


def _statements(code: str, body: Span) -> Iterator[Change]:
    for match in _CALL.finditer(code, *body):
        end = csource.closing(code, match.end())
        rest = re.compile(r"\s*;").match(code, end)
        if rest and not _UNTOUCHED.search(match[1]):
            span = Span(match.start(1), rest.end())
            yield Change("drop the call", span, schemata.STATEMENT, "")
    for match in _ASSIGNMENT.finditer(code, *body):
        if re.search(r"[.>]", match[1]) or match[2] != "=":
            span = Span(match.start(1), match.end())
            yield Change("drop the assignment", span, schemata.STATEMENT, "")


def _apart(found: Iterable[Change]) -> list[Change]:
    """Without those that are the same, or overlap another by half."""
    kept: list[Change] = []
    for change in found:
        crossing = any(
            other.span.start < change.span.start < other.span.end < change.span.end
            for other in kept
        )
        if not crossing and change not in kept:
            kept.append(change)
    return kept
