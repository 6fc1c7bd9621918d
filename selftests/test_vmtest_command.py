"""``python -m vmtest``: what it refuses before anything boots, and what it leaves."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from vmtest import __main__ as vmtest
from vmtest import images, machine, results
from vmtest.errors import UserError
from vmtest.guestrun import GuestRun, Settings
from vmtest.images import Kernel
from vmtest.results import KernelResult


@pytest.mark.parametrize("wrong", [UserError("virtme-ng cannot start it"), KeyboardInterrupt()])
def test_kernel_that_cannot_be_started_leaves_nothing(
    wrong: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the machines before it, which have not begun."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(machine, "find_qemu", lambda: "qemu")
    composed: list[object] = []

    def compose(kernel: Kernel, **_: object) -> list[str]:
        if composed:
            raise wrong
        composed.append(kernel)
        return ["true"]

    monkeypatch.setattr(machine, "compose", compose)
    kernel = Kernel(tmp_path / "vmlinuz", "6.12.1", "6.12", "x")
    with pytest.raises(type(wrong)):
        vmtest.run([kernel, kernel], Settings(kvm=False), 1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("jobs", "begun"), [(1, ["6.1", "7.3"]), (2, ["7.3", "6.1"])])
def test_last_of_several_begins_first_beside_others(
    jobs: int, begun: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest has the most to do; the results are in the order that was asked for."""
    seen: list[str] = []

    class Done(GuestRun):
        def step(self) -> bool:
            seen.append(self.kernel.label)
            return False

    monkeypatch.setattr(vmtest, "GuestRun", Done)
    monkeypatch.setattr(machine, "find_qemu", lambda: "qemu")
    monkeypatch.setattr(machine, "compose", lambda *_, **__: ["true"])
    kernels = [Kernel(Path("x"), label, label, "x") for label in ("6.1", "7.3")]
    found = vmtest.run(kernels, Settings(kvm=False), jobs)
    assert seen == begun
    assert [result.label for result in found] == ["6.1", "7.3"]


@pytest.fixture
def refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """What the command says on a kernel of 6.12, which must not boot."""
    kernel = Kernel(tmp_path / "vmlinuz", "6.12.1-test", "6.12", "x")
    monkeypatch.setattr(machine, "find_qemu", lambda: "qemu")
    monkeypatch.setattr(machine, "find_virtme", lambda: "virtme")
    monkeypatch.setattr(machine, "kvm_works", lambda *_: False)
    monkeypatch.setattr(images, "resolve", lambda *_, **__: kernel)
    monkeypatch.setattr(vmtest, "run", lambda *_: pytest.fail("it boots"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()

    def call(*options: str) -> str:
        assert vmtest.main(["image", *options]) == vmtest.USAGE_ERROR
        return capsys.readouterr().err

    return call


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--table", "nowhere/page.md"], "nowhere/page.md cannot be written: "),
        (["--table", "."], ". cannot be written: "),
        (["--results", "file"], "file is no directory for results: "),
        (["--results", "file/below"], "file/below is no directory for results: "),
        (["--pins", "nowhere"], "no list nowhere/v6.12-root.txt: make one with --write-pins"),
        (["--pins", "nowhere", "--user"], "no list nowhere/v6.12-user.txt: make one"),
        (["--pins", "file", "--write-pins"], "file is no directory for lists: "),
        (["--pins", ".", "--write-pins", "--", "-k", "x"], "--write-pins needs a run of all tests"),
    ],
)
def test_mistake_is_told_before_anything_boots(
    options: list[str], said: str, refused: Callable[..., str]
) -> None:
    """In one line; a run of ten minutes is not thrown away for it."""
    error = refused(*options)
    assert error.startswith(f"vmtest: {said}")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--jobs", "0", "'0' is not a number above 0"),
        ("--memory", "\u00b2", "'\u00b2' is not a number above 0"),
        ("--silence", "nan", "'nan' is not a number of seconds above 0"),
        ("--boot-timeout", "-1", "'-1' is not a number of seconds above 0"),
        ("--boot-timeout", "soon", "'soon' is not a number of seconds above 0"),
    ],
)
def test_number_that_makes_no_sense_is_refused(
    option: str, value: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what would be right."""
    with pytest.raises(SystemExit, match="2"):
        vmtest.main([f"{option}={value}", "image"])
    assert capsys.readouterr().err.endswith(f"argument {option}: {said}\n")


def test_half_a_file_of_results_is_one_line(refused: Callable[..., str], tmp_path: Path) -> None:
    """As a full disk or a kill left it."""
    kept = tmp_path / "kept"
    kept.mkdir()
    for name, text in (("6.12.json", '{"label": "6.'), ("6.12.json", "[]"), ("6.12.json", "{}")):
        (kept / name).write_text(text)
        error = refused("--from-results", "--results", "kept")
        assert error.startswith("vmtest: kept/6.12.json holds no result of a run: ")
        assert error.count("\n") == 1


def test_result_is_kept_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one before it stays until then."""
    path = tmp_path / "7.3.4-x.json"
    KernelResult("7.3.4-x", "o", "7.3.4", "tcg", end="finished").write(path)

    def full(self: Path, text: str, **_: object) -> None:
        self.write_bytes(text[:20].encode())
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        KernelResult("7.3.4-x", "o", "7.3.4", "tcg", end="hung").write(path)
    assert results.read(path).end == "finished"
