"""What the selftests share."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from selftests.runner import Project


@pytest.fixture
def project(tmp_path: Path) -> Callable[[str], Project]:
    """Make a scratch project with the given tests."""

    def make(source: str) -> Project:
        made = Project(tmp_path)
        made.write(source)
        return made

    return make


@pytest.fixture
def open_project() -> Iterator[Callable[[str], Project]]:
    """Make a scratch project that every user can read."""
    path = Path(tempfile.mkdtemp(prefix="pidfd-selftest-"))
    path.chmod(0o755)

    def make(source: str) -> Project:
        made = Project(path)
        made.write(source)
        return made

    yield make
    shutil.rmtree(path)
