"""What the tests of fanotify listen to."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A file that nobody else opens."""
    file = tmp_path / "file"
    file.touch()
    return str(file)
