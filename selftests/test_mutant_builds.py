"""The trees and the kernels of mutants: what is built, what is kept, and how a build ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.deadline import wait_until
from mutants import build, gcov, tree
from mutants.build import BuildFailed, Workshop
from selftests.runner import ROOT
from selftests.test_vmtest_ends import alive
from selftests.test_vmtest_images import bzimage
from vmtest.errors import UserError


def test_overlay_leaves_the_source_alone(tmp_path: Path) -> None:
    """It links what is as it was, and takes an edit back when it is not asked for any more."""
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "fs/deep").mkdir(parents=True)
    (source / "fs/a.c").write_text("a\n")
    (source / "fs/deep/b.c").write_text("b\n")
    tree.overlay(source, target, {"fs/a.c": "changed\n", "fs/new.h": "new\n"})
    assert (target / "fs/a.c").read_text() == "changed\n"
    assert (target / "fs/deep").is_symlink()
    assert (source / "fs/a.c").read_text() == "a\n"
    tree.overlay(source, target, {"fs/deep/b.c": "other\n"})
    assert (target / "fs/a.c").read_text() == "a\n"
    assert not (target / "fs/new.h").exists()
    assert sorted(path.name for path in (source / "fs").iterdir()) == ["a.c", "deep"]
    assert (source / "fs/deep/b.c").read_text() == "b\n"


def test_tree_that_is_none_is_refused(tmp_path: Path) -> None:
    """In one line."""
    with pytest.raises(UserError, match="has no Makefile"):
        tree.find(str(tmp_path))


def test_errors_of_the_compiler_are_found() -> None:
    """By file and line of the source."""
    log = "/w/tree/fs/pidfs.c:12:3: error: no\nmake: *** [x] Error 1\n"
    assert build.errors(log, Path("/w/tree")) == [("fs/pidfs.c", 12, "no")]


MAKE = """\
#!/bin/sh
for word; do case $word in O=*) objects=${word#O=};; OUTPUT=*) out=${word#OUTPUT=};; esac; done
echo "$*" >> "$PLACE/calls"
if [ -e "$PLACE/fails" ] && [ -n "$out" ]; then touch "$out/pidfd_open_test"; exit 2; fi
[ -z "$out" ] || touch "$out/pidfd_open_test" "$out/pidfd_wait"
mkdir -p "$objects/arch/x86/boot"
cp "$PLACE/bzImage" "$objects/arch/x86/boot/bzImage"
touch "$objects/.config"
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a kernel tree in source/, and a make that only says how it was called."""
    for name, text in (
        ("source/Makefile", "VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 4\n"),
        ("source/fs/pidfs.c", "a\n"),
        ("source/.git/index", "x"),
        ("source/tools/testing/selftests/pidfd/Makefile", ""),
        ("bin/make", MAKE),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "bin/make").chmod(0o755)
    (tmp_path / "bzImage").write_bytes(bzimage())
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("PLACE", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def shop(place: Path) -> Workshop:
    """For the tree as it is now."""
    return Workshop(tree.find(str(place / "source")), jobs=1)


def calls(place: Path) -> int:
    """How often make was called since the last time."""
    file = place / "calls"
    found = len(file.read_text().splitlines()) if file.exists() else 0
    file.unlink(missing_ok=True)
    return found


def test_tree_of_another_version_is_another_source(place: Path) -> None:
    """Its verdicts are not told under the new name after a ``git checkout``."""
    before = tree.find(str(place / "source"))
    assert tree.find(str(place / "source")) == before
    (place / "source/Makefile").write_text("VERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 5\n")
    assert tree.find(str(place / "source")).home != before.home


def test_kernel_is_built_anew_when_its_source_has_changed(place: Path) -> None:
    """Also by a file without a mutant; what git keeps for itself is no part of it."""
    shop(place).kernel("mutants", {"fs/pidfs.c": "b\n"})
    assert calls(place)
    (place / "source/.git/index").write_text("another")
    shop(place).kernel("mutants", {"fs/pidfs.c": "b\n"})
    assert not calls(place)
    (place / "source/fs/exec.c").write_text("new\n")
    shop(place).kernel("mutants", {"fs/pidfs.c": "b\n"})
    assert calls(place)


def test_half_a_c_suite_is_built_to_its_end(place: Path) -> None:
    """And a whole one is kept until the source changes."""
    (place / "fails").touch()
    with pytest.raises(BuildFailed, match="the C suite does not build"):
        shop(place).c_suite()
    (place / "fails").unlink()
    programs = shop(place).c_suite()
    assert {path.name for path in programs.iterdir()} == {"pidfd_open_test", "pidfd_wait"}
    assert calls(place)
    shop(place).c_suite()
    assert not calls(place)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_compilers_end_with_the_command(number: signal.Signals, place: Path) -> None:
    """Not only make: what it has started as well."""
    (place / "bin/make").write_text('#!/bin/sh\nsleep 60 &\necho $! > "$PLACE/pid"; wait\n')
    script = (
        "import sys; from mutants import __main__ as command, image, run, tree\n"
        "from vmtest import machine\n"
        "machine.find_qemu = machine.find_virtme = lambda: 'here'\n"
        "image.prepare = lambda _: []\n"
        "image.make = lambda shop, _: shop.kernel('mutants', {})\n"
        "sys.exit(command.main(sys.argv[1:]))\n"
    )
    command = subprocess.Popen(
        [sys.executable, "-c", script, str(place / "source")],
        cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    file = place / "pid"
    wait_until(lambda: file.exists() and file.read_text().endswith("\n"), "the compiler runs")
    command.send_signal(number)
    assert command.wait(20) == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
    wait_until(lambda: not alive(int(file.read_text())), "the compiler ends")


@pytest.mark.parametrize(
    ("tool", "use"),
    [
        ("make", lambda place: shop(place).kernel("mutants", {})),
        ("gcov", lambda place: gcov._count(place, b"", place, "pidfs.c", set())),
    ],
    ids=["make", "gcov"],
)
def test_missing_tool_is_one_line(
    tool: str, use: Callable[[Path], object], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That says what cannot be done without it."""
    monkeypatch.setenv("PATH", str(place / "none"))
    (place / "pidfs.gcno").touch()
    with pytest.raises(UserError, match=f"^{tool} is missing: [^\\n]*$"):
        use(place)
