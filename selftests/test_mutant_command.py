"""``python -m mutants``: what it takes up, what it says, and the code that it ends with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mutants import __main__ as command
from mutants import image, tree
from mutants.csource import Span
from mutants.schemata import EXPRESSION, Edit
from mutants.tree import Source
from mutants.verdicts import BROKEN, KILLED, REFUSED, Store, Verdict
from selftests.test_mutants import mutant

EDIT = Edit(1, Span(0, 1), EXPRESSION, "0")
CHOSEN = [mutant(name=name) for name in ("noticed", "broken", "new")]
MECHANICAL = [
    mutant(name=name, operator="o", find="") for name in ("made", "mute", "unmade", "barred")
]


def test_mechanical_mutant_is_known_by_the_text_that_it_replaces() -> None:
    """Its number among its like is no name: one more before it, and it is another one's."""
    found = [
        command.key(mutant(find="", rule=rule, operator="swap the error"), EDIT)
        for rule in ("-EINVAL", "-ENOENT")
    ]
    assert found[0] != found[1]


def test_chosen_mutant_is_known_as_ever() -> None:
    """What is kept of it stands."""
    assert command.key(mutant(), EDIT) == "7838d001c2c888a0"


Tell = Callable[..., int]


@pytest.fixture
def tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tell:
    """Call the command on a source with the mutants above, of some of which there are verdicts."""
    source = Source(tmp_path, tmp_path, "source", "7.3.4")
    monkeypatch.setattr(tree, "find", lambda _: source)
    monkeypatch.setattr(image, "prepare", lambda _: [(m, EDIT) for m in [*CHOSEN, *MECHANICAL]])

    def call(*options: str, **ours: str) -> int:
        store = Store(tmp_path / "results")
        for entry in CHOSEN + MECHANICAL:
            if entry.name in ours:
                verdict = Verdict(entry.name, command.key(entry, EDIT), ours=ours[entry.name])
                store.put(verdict)
        return command.main(["source", "--no-coverage", *options])

    return call


def test_mutant_without_a_result_is_told_and_no_success(
    tell: Tell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Chosen ones by name; of the mechanical ones that were never run there may be hundreds."""
    page = tmp_path / "page.md"
    given = {"noticed": KILLED, "broken": BROKEN, "mute": BROKEN, "unmade": KILLED}
    assert tell("--from-results", "--page", str(page), barred=REFUSED, **given) == 1
    assert capsys.readouterr().out == (
        "chosen mutants killed: 1 of 1; by the C suite: 0 of 3\n"
        "mechanical mutants killed: 1 of 1; not run yet: 1\n"
        "  broken: gave no result (0 s)\n"
        "  new: not run yet (0 s)\n"
        "  mute: gave no result (0 s)\n"
    )
    text = page.read_text()
    assert "| broken | r | gave no result | no program is about it |" in text
    assert "| new | r | not run yet | no program is about it |" in text
    assert "4 of these 6 have no verdict of this suite yet." in text
    assert "## Not built\n\n- barred\n" in text


def test_all_chosen_mutants_noticed_is_a_success(tell: Tell) -> None:
    """Mechanical ones may change nothing at all."""
    results = "--from-results"
    assert tell(results, noticed=KILLED, broken=KILLED, new=KILLED, mute=BROKEN) == 0
    assert tell(results, "--only", "noticed") == 0
    assert tell(results, "--only", "m*") == 0


def test_broken_verdict_is_kept_to_be_told_and_not_to_be_gone_by(tmp_path: Path) -> None:
    """The mutant is run again."""
    store = Store(tmp_path)
    for ours in (BROKEN, REFUSED):
        store.put(Verdict("m", "key", ours=ours))
        assert store.get("m", "key") is None
        assert store.get("m", "key", broken=True) == Verdict("m", "key", ours=ours)


@pytest.mark.parametrize("option", ["--jobs", "--batch", "--build-jobs", "--enough", "--cpus"])
def test_number_that_leads_nowhere_is_refused(
    option: str, tell: Tell, capsys: pytest.CaptureFixture[str]
) -> None:
    """No machine at all, or a batch of none."""
    with pytest.raises(SystemExit):
        tell(option, "0")
    assert f"{option}: '0' is not a number above 0" in capsys.readouterr().err


@pytest.mark.parametrize("options", [("no*", "ty?o"), ("made", "--chosen")], ids=["typo", "chosen"])
def test_pattern_that_matches_nothing_is_refused(
    options: tuple[str, ...], tell: Tell, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside one that does, too; nothing to run is no success."""
    words = [word for name in options for word in (["--only"] * (name[0] != "-") + [name])]
    assert tell("--from-results", *words) == command.USAGE_ERROR
    assert "no mutant here is called" in capsys.readouterr().err


def test_missing_qemu_is_told_before_the_kernel_is_built(
    tell: Tell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which takes its time."""
    built: list[object] = []
    monkeypatch.setattr(image, "make", lambda *_: built.append(1))
    monkeypatch.setattr(shutil, "which", lambda name, **_: None if "qemu" in name else name)
    assert tell() == command.USAGE_ERROR
    assert capsys.readouterr().err.startswith("mutants: no qemu: install")
    assert not built


def test_page_without_a_place_is_refused_before_the_kernel_is_built(
    tell: Tell, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And not after all mutants have run."""
    assert tell("--page", str(tmp_path / "nowhere/page.md")) == command.USAGE_ERROR
    assert "page.md cannot be written: there is no directory" in capsys.readouterr().err
