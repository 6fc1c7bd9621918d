"""The documents name what there is."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatchcase

from selftests.runner import ROOT, Project

ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")


def _first_cells(text: str, head: str) -> str:
    """The first column of the table below `head`."""
    rows = text.partition(head)[2].partition("\n\n")[0].splitlines()
    return " ".join(row.split(" | ")[0] for row in rows)


def test_every_module_of_helpers_is_in_the_table() -> None:
    """By its name, or by that of its group."""
    named = re.findall(r"`([\w*]+)`", _first_cells(ARCHITECTURE, "| module of helpers/ | holds |"))
    modules = {path.stem for path in (ROOT / "helpers").glob("*.py")} - {"__init__"} | {"model"}
    missing = {it for it in modules if not any(fnmatchcase(it, name) for name in named)}
    assert not missing
    assert not {name for name in named if not any(fnmatchcase(it, name) for it in modules)}


def test_every_folder_of_tests_is_in_the_table() -> None:
    """Several may share a row."""
    named = set(re.findall(r"\w+", _first_cells(README, "| folder | the kernel promises |")))
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert named - {"tests"} == folders


def test_every_option_is_in_the_table() -> None:
    """All that conftest.py and the model add to pytest's own."""
    named = set(re.findall(r"--\w[\w-]*", _first_cells(README, "| option | meaning |")))
    sources = [ROOT / "conftest.py", ROOT / "helpers" / "model" / "options.py"]
    added = {it for path in sources for it in re.findall(r'"(--[\w-]+)"', path.read_text("utf-8"))}
    assert named == added


def test_example_of_a_test_passes(project: Callable[[str], Project]) -> None:
    """As it stands, below what every module of tests imports."""
    example = README.partition("```python\n")[2].partition("```")[0]
    imports = (
        "from collections.abc import Callable\n"
        "from helpers.observe import Watcher\nfrom helpers.process import ThreadGroup\n"
    )
    assert project(imports + example).run().counts == {"passed": 1}
