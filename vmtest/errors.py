"""What a user can mend."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class UserError(Exception):
    """One clear line for the user: what is wrong, and what helps."""


@contextmanager
def looking_at(name: str) -> Iterator[None]:
    """Look at what the user names; that it may not be looked at is one line."""
    try:
        yield
    except PermissionError as error:
        raise UserError(f"{name}: {error.strerror}") from error
