"""What a user can mend."""

from __future__ import annotations


class UserError(Exception):
    """One clear line for the user: what is wrong, and what helps."""
