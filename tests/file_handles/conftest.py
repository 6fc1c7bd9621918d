"""What the tests of handles share."""

from __future__ import annotations

import os

import pytest

from helpers.pidfd import Pidfd


@pytest.fixture
def anchor() -> Pidfd:
    """A pidfd of the test itself, which leads ``open_by_handle_at(2)`` to pidfs."""
    return Pidfd.open(os.getpid(), role="anchor")
