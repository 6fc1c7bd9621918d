"""What a comparison of records or flags says when it fails: the parts that differ, and how."""

from __future__ import annotations

from collections.abc import Iterator

from helpers.uapi import Flags

_FIELDS_SHOWN_WHOLE = 6  # with fewer, both records are shown as they are
_BYTES_SHOWN = 8
_MOST_LINES = 7  # pytest cuts an explanation that has more


def is_record(value: object) -> bool:
    """Whether it is a ``NamedTuple``."""
    return isinstance(value, tuple) and hasattr(value, "_fields")


def explain(found: object, due: object) -> list[str] | None:
    """The lines for ``assert found == due``; None where pytest's own do as well."""
    if isinstance(found, Flags) and isinstance(due, int):
        return [f"{found} == {type(found)(due)}"]
    if isinstance(found, bytes) and isinstance(due, bytes) and len(found) == len(due) > 8:
        return [_first_bytes(found, due)]
    if not any(map(_holds_records, (found, due))):
        return None
    return list(_lines(found, due))[:_MOST_LINES]


def _first_bytes(found: bytes, due: bytes) -> str:
    """The first run of bytes that differ."""
    differ = [one != other for one, other in zip(found, due)]
    start = differ.index(True)
    end = differ.index(False, start) if False in differ[start:] else len(differ)
    shown = [text[start:end][:_BYTES_SHOWN].hex(" ") for text in (found, due)]
    return f"bytes {start} to {end - 1} of {len(due)} are {shown[0]}, {shown[1]} was due"


def _holds_records(value: object) -> bool:
    return isinstance(value, (tuple, list)) and (is_record(value) or any(map(is_record, value)))


def _lines(found: object, due: object) -> Iterator[str]:
    alike = isinstance(found, (tuple, list)) and type(found) is type(due)
    if not alike or len(found) != len(due):  # type: ignore[arg-type]
        yield f"{found!r} == {due!r}"
    elif not is_record(found):
        for one, other in zip(found, due):  # type: ignore[call-overload]
            if one != other:
                yield from _lines(one, other)
    elif len(found) < _FIELDS_SHOWN_WHOLE:  # type: ignore[arg-type]
        yield f"{found!r} == {due!r}"
    else:
        name = type(found).__name__
        for line in fields(found, due):
            yield f"{name}: {line}"
            name = " " * len(name)


def fields(found: object, due: object) -> Iterator[str]:
    """A line for each field of two records of one kind that differs."""
    keys = type(found)._fields  # type: ignore[attr-defined]
    for key, one, other in zip(keys, found, due):  # type: ignore[call-overload]
        if one != other:
            yield f"{key} is {_told(one)}, {_told(other)} was due"


def _told(value: object) -> str:
    return "not told" if value is None else repr(value)
