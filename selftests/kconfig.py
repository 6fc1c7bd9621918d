"""Which kernel options the tests need, by the features that they are gated by.

``python -m selftests.kconfig`` prints the lines of the file ``config`` that the gates explain.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from helpers.features import Feature

ROOT = Path(__file__).resolve().parent.parent
FRAGMENT = ROOT / "config"
MACHINE_FRAGMENT = ROOT / "vmtest" / "config"

Needs = dict[str, set[str]]
"""Options, to the folders of tests/ that hold tests which need them."""


class _Collector:
    """Notes the needs of all tests that are collected."""

    def __init__(self) -> None:
        self.needs: Needs = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Go through the marks of each."""
        for item in items:
            wanted: list[Feature] = [f for mark in item.iter_markers("needs") for f in mark.args]
            for option in {option for feature in wanted for option in feature.config}:
                self.needs.setdefault(option, set()).add(item.path.parent.name)


def render(needs: Needs) -> list[str]:
    """Lines for the fragment, in order."""
    return [
        line
        for option, folders in sorted(needs.items())
        for line in (f"# {', '.join(sorted(folders))}", f"CONFIG_{option}=y")
    ]


def lines() -> list[str]:
    """The same, asked of a process that collects the tests."""
    command = [sys.executable, "-m", "selftests.kconfig"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def main() -> None:
    """Collect, and print."""
    collector = _Collector()
    arguments = ["--collect-only", "-p", "no:terminal", "-p", "no:cacheprovider"]
    arguments += ["-o", "addopts=--import-mode=importlib"]
    code = pytest.main([*arguments, str(ROOT / "tests")], plugins=[collector])
    if code:
        raise SystemExit(int(code))
    sys.stdout.write("".join(f"{line}\n" for line in render(collector.needs)))


if __name__ == "__main__":
    main()
