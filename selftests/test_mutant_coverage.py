"""The campaigns of mutants measure anew what another state of the tests may have changed."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mutants import coverage, gcov
from vmtest import root
from vmtest.guestrun import Settings


def test_suite_key_tells_a_changed_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no change of what is not shipped as one."""
    monkeypatch.setattr(root, "PROJECT", tmp_path)
    (tmp_path / "tests").mkdir()
    (tmp_path / "mutants").mkdir()
    test = tmp_path / "tests/test_it.py"
    test.write_text("one")
    first = root.suite_key()
    (tmp_path / "mutants/other.py").write_text("no test")
    assert root.suite_key() == first
    test.write_text("two")
    assert root.suite_key() != first


@pytest.mark.parametrize(("of", "boots"), [("this state", 0), ("another", 1)])
def test_coverage_is_measured_once_for_each_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of: str, boots: int
) -> None:
    """What was counted by other tests is not what these reach."""
    booted: list[object] = []

    def boot(*given: object) -> Any:
        booted.append(given)
        return SimpleNamespace(more=[{"gcov": "counts"}, {"booted": 1}])

    monkeypatch.setattr(coverage, "_boot", boot)
    shop: Any = SimpleNamespace(source=SimpleNamespace(home=tmp_path))
    campaign: Any = SimpleNamespace(key=lambda *, suite: "this state" if suite else "kernel")
    kept = tmp_path / "coverage-ours.json"
    kept.write_text(json.dumps({"of": of, "records": [{"gcov": "counts"}]}))
    coverage._count(shop, campaign, "ours", [["tests"]], [])
    assert len(booted) == boots
    assert json.loads(kept.read_text()) == {"of": "this state", "records": [{"gcov": "counts"}]}


def test_programs_may_not_be_taken_for_a_machine_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is ended long before the silence that means a hang; helpers and data are none."""
    for name in ("pidfd_wait", "pidfd_exec_helper", "notes.txt"):
        (tmp_path / name).touch()
    counted: list[list[list[object]]] = []
    monkeypatch.setattr(coverage, "_count", lambda *given: counted.append(given[-1]))
    monkeypatch.setattr(gcov, "makefiles", lambda _: {})
    monkeypatch.setattr(gcov, "wanted", lambda _: {})
    shop: Any = SimpleNamespace(
        source=SimpleNamespace(tree=tmp_path, home=tmp_path), kernel=lambda *_: None
    )
    campaign: Any = SimpleNamespace(programs=tmp_path, settings=Settings(kvm=False, silence=90.0))
    campaign.of = lambda _: campaign
    coverage.measure(shop, campaign)
    assert counted == [[], [["pidfd_wait", 45.0]]]
