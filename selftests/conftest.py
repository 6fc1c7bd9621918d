"""What the selftests share."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from selftests.runner import Project


def pytest_configure() -> None:
    """Let Ctrl-C interrupt what is started here, though a shell put us into the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
