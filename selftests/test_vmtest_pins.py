"""Kernels of vmtest against their lists, and who runs the suite in a guest."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from vmtest import __main__ as vmtest
from vmtest import pinned, results, root, table
from vmtest.errors import UserError
from vmtest.guestrun import ORDINARY_USER, GuestRun, Settings
from vmtest.images import Kernel
from vmtest.results import Case, KernelResult

SKIPPED = Case("tests/poll/test_p.py::test_one[a]", "skipped", "kernel lacks it (since v6.15)")
PASSED = Case("tests/poll/test_p.py::test_one[b]", "passed")


def result(*tests: Case, user: str = "root", end: str = results.FINISHED) -> KernelResult:
    """Of a 6.12."""
    found = KernelResult("6.12", "x@trixie", "6.12.1-amd64", "tcg", user=user, end=end, code=0)
    found.tests = list(tests)
    return found


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    """A directory with the list of a run in which `SKIPPED` was skipped."""
    pinned.write(result(SKIPPED, PASSED), tmp_path)
    return tmp_path


def test_list_is_by_kernel_and_user(lists: Path) -> None:
    """And has what is skipped below its reason."""
    pinned.write(result(user="user"), lists)
    assert sorted(path.name for path in lists.iterdir()) == ["v6.12-root.txt", "v6.12-user.txt"]
    text = (lists / "v6.12-root.txt").read_text()
    assert text == "kernel lacks it (since v6.15)\n  1 tests/poll/test_p.py::test_one\n"


def test_kernel_as_pinned_is_good(lists: Path) -> None:
    """Nothing is said."""
    found = result(SKIPPED, PASSED)
    pinned.compare(found, lists, whole=True)
    assert (found.unpinned, found.exit_code) == ([], 0)


def test_other_skip_fails_the_kernel_and_is_in_the_table(lists: Path) -> None:
    """As a failed test would be."""
    found = result(Case(SKIPPED.name, "skipped", "no"))
    pinned.compare(found, lists, whole=True)
    assert found.exit_code == 1
    lines = [line for line in table.text([found]).splitlines() if "not as pinned" in line]
    assert lines == [
        "  not as pinned: tests/poll/test_p.py::test_one: 0 skipped, 1 pinned: "
        "kernel lacks it (since v6.15)",
        "  not as pinned: tests/poll/test_p.py::test_one: 1 skipped, 0 pinned: no",
    ]


def test_selection_may_skip_less(lists: Path) -> None:
    """What was not asked for is not missed."""
    found = result(PASSED)
    pinned.compare(found, lists, whole=False)
    assert found.unpinned == []


def test_kernel_that_did_not_finish_is_neither_compared_nor_pinned(lists: Path) -> None:
    """It has failed already."""
    found = result(SKIPPED, end=results.PANIC)
    pinned.compare(found, lists, whole=True)
    assert found.unpinned == []
    with pytest.raises(UserError, match=r"6\.12: panicked: no list can be made of that"):
        pinned.write(found, lists)


@pytest.mark.parametrize("code", [2, 5, -11, None])
def test_pytest_that_did_not_run_all_makes_no_list(code: int | None, lists: Path) -> None:
    """The lists of the other kernels are made."""
    broken, other = result(SKIPPED), result(PASSED, user="user")
    broken.code = code
    pinned.compare(broken, lists, whole=True)
    assert broken.unpinned == []
    before = (lists / "v6.12-root.txt").read_text()
    with pytest.raises(UserError, match=f"6.12: pytest ended with {code}: no list can be made"):
        pinned.write_all([broken, other], lists)
    assert (lists / "v6.12-root.txt").read_text() == before
    assert (lists / "v6.12-user.txt").read_text() == ""


def test_missing_list_is_one_line(tmp_path: Path) -> None:
    """With the way to make it."""
    with pytest.raises(UserError, match=r"no list .*v6\.12-root\.txt: make one with --write-pins"):
        pinned.compare(result(), tmp_path, whole=True)


def test_write_without_a_directory_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything boots."""
    assert vmtest.main(["image", "--write-pins"]) == vmtest.USAGE_ERROR
    assert capsys.readouterr().err == "vmtest: --write-pins needs --pins=DIR to write to\n"


@pytest.mark.parametrize(("ordinary", "uid"), [(False, 0), (True, ORDINARY_USER)])
def test_guest_is_told_who_runs_the_suite(
    ordinary: bool, uid: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the result says it."""
    jobs: list[Mapping[str, object]] = []
    monkeypatch.setattr(root, "pack", lambda _kernel, job, *_: jobs.append(job))
    kernel = Kernel(tmp_path / "vmlinuz", "6.12.1-test", "6.12", "fake")
    guest = GuestRun(
        kernel, [sys.executable, "-c", ""], Settings(kvm=False, ordinary_user=ordinary)
    )
    guest.step()
    guest.close()
    assert [job["uid"] for job in jobs] == [uid]
    assert guest.result.user == ("user" if ordinary else "root")
