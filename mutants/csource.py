"""Finds functions and texts in C source; a light scanner, no parser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from vmtest.errors import UserError

_HIDDEN = re.compile(
    r"""/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""", re.DOTALL | re.VERBOSE
)
_DIRECTIVE = re.compile(r"^[ \t]*\#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
_SYSCALL = re.compile(r"(?:COMPAT_)?SYSCALL_DEFINE\d\s*\(\s*(\w+)")
_NAME = re.compile(r"(\w+)\s*\(")
_SPACE = re.compile(r"\s+")


class NotApplicable(UserError):
    """An edit does not fit this source."""


class Span(NamedTuple):
    """A part of a text."""

    start: int
    end: int


class Function(NamedTuple):
    """A function; `body` holds its braces."""

    name: str
    body: Span


def without_comments(text: str) -> str:
    """The text with comments as blanks, every other character where it was."""
    return _HIDDEN.sub(lambda m: m[0] if m[0][0] in "\"'" else _blank(m), text)


def code_only(text: str) -> str:
    """The text with comments, literals and directives as blanks: its brackets can be counted."""
    return _DIRECTIVE.sub(_blank, _HIDDEN.sub(_blank, text))


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def functions(text: str) -> Iterator[Function]:
    """Every function that the file defines, in order."""
    code = code_only(text)
    depth = since = start = 0
    for match in re.finditer(r"[{};]", code):
        at, kind = match.start(), match[0]
        if kind == "{":
            if depth == 0:
                start = at
            depth += 1
        elif kind == "}":
            depth -= 1
        if depth == 0 and kind != "{":
            if kind == "}":
                name = _function_name(code[since:start])
                if name:
                    yield Function(name, Span(start, at + 1))
            since = at + 1


def _function_name(head: str) -> str:
    """The name in the words before a body; empty where they are no function's."""
    if "(" not in head or not re.search(r"[\w)]\s*$", head) or "=" in head:
        return ""
    match = _SYSCALL.search(head) or _NAME.search(head)
    return match[1] if match else ""


def bodies(text: str, name: str) -> list[Span]:
    """Where the function's body is; more than one where the configuration chooses."""
    return [function.body for function in functions(text) if function.name == name]


def occurrences(text: str, within: Span, wanted: str) -> list[Span]:
    """Where `wanted` stands in a part of `text`, whatever the white space and the comments."""
    visible = without_comments(text)
    places = [i for i in range(*within) if not visible[i].isspace()]
    squeezed = "".join(visible[i] for i in places)
    target = _SPACE.sub("", wanted)
    found = []
    at = squeezed.find(target)
    while at >= 0:
        span = Span(places[at], places[at + len(target) - 1] + 1)
        if not _cuts_a_word(visible, span):
            found.append(span)
        at = squeezed.find(target, at + 1)
    return found


def _cuts_a_word(text: str, span: Span) -> bool:
    def is_word(at: int) -> bool:
        return 0 <= at < len(text) and (text[at].isalnum() or text[at] == "_")

    first, last = span.start, span.end - 1
    return (is_word(first) and is_word(first - 1)) or (is_word(last) and is_word(last + 1))


def closing(code: str, at: int) -> int:
    """The place after the bracket that closes the one at `at`."""
    pairs = {"(": ")", "{": "}", "[": "]"}
    opened, closed = code[at], pairs[code[at]]
    depth = 0
    for i in range(at, len(code)):
        if code[i] == opened:
            depth += 1
        elif code[i] == closed:
            depth -= 1
            if not depth:
                return i + 1
    raise NotApplicable(f"a bracket is not closed: {code[at : at + 40]!r}")
