"""Builds a kernel, and the kernel's own suite, out of an overlay."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from mutants import tree
from mutants.tree import Source
from vmtest import images, root
from vmtest.errors import UserError
from vmtest.images import Kernel

# On top of tinyconfig.
_FRAGMENTS = (root.PROJECT / "config", root.PROJECT / "vmtest" / "config")
SWITCH = "pidfd_mutant"
HEADER = "include/linux/pidfd_mutant.h"
INCLUDE = "#include <linux/pidfd_mutant.h>\n#line 1\n"
_SUITE = "tools/testing/selftests/pidfd"
_PATIENCE = 10.0
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ERROR = re.compile(r"([\w./-]+\.[ch]):(\d+):\d+: error: (.*)")

HEADER_TEXT = f"""/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_PIDFD_MUTANT_H
#define _LINUX_PIDFD_MUTANT_H
/* Which deliberate fault this kernel has; 0 is none. Written at run time. */
extern int {SWITCH};
#define MUTANT(number) unlikely(*(volatile int *)&{SWITCH} == (number))
#endif
"""
# The parameter is /sys/module/kernel/parameters/pidfd_mutant.
SWITCH_TEXT = f"""
#include <linux/moduleparam.h>
int {SWITCH};
core_param({SWITCH}, {SWITCH}, int, 0644);
"""


class BuildFailed(UserError):
    """The compiler refused; `errors` are file, line and message."""

    def __init__(self, what: str, log: Path, errors: list[tuple[str, int, str]]) -> None:
        """Tell the first error, and where the log is."""
        first = f": {errors[0][0]}:{errors[0][1]}: {errors[0][2]}" if errors else ""
        super().__init__(f"{what} does not build{first} (see {log})")
        self.errors = errors


class Workshop:
    """The tree and the objects made from one source; builds go on where the last one stopped."""

    def __init__(self, source: Source, jobs: int) -> None:
        """Use the directory of the cache that is the source's."""
        self.source = source
        self.tree = (source.home / "tree").resolve()
        self.objects = (source.home / "build").resolve()
        self._jobs = jobs
        self._cc = os.environ.get("CC") or ("ccache gcc" if shutil.which("ccache") else "gcc")

    @functools.cached_property
    def _state(self) -> str:
        return tree.digest(self.source.tree)

    def kernel(self, name: str, edited: Mapping[str, str], options: tuple[str, ...] = ()) -> Kernel:
        """The kernel of these edits, built unless it was; `options` are added to the config."""
        fragments = "".join(path.read_text(encoding="utf-8") for path in _FRAGMENTS)
        config = fragments + "".join(f"{line}\n" for line in options)
        known = repr((sorted(edited.items()), config, self._state))
        stamp = hashlib.sha256(known.encode()).hexdigest()
        image = self.source.home / f"{name}.bzImage"
        mark = image.with_suffix(".stamp")
        if not (image.is_file() and mark.is_file() and mark.read_text() == stamp):
            mark.unlink(missing_ok=True)
            tree.overlay(self.source.tree, self.tree, edited)
            self._configure(config)
            self._make("the kernel", "bzImage")
            shutil.copyfile(self.objects / "arch/x86/boot/bzImage", image)
            shutil.copyfile(self.objects / ".config", image.with_suffix(".config"))
            mark.write_text(stamp)
        release = images.identify(image)
        return Kernel(image, release, name, self.source.origin, image.with_suffix(".config"))

    def _configure(self, wanted: str) -> None:
        self.objects.mkdir(exist_ok=True)
        fragment = self.objects / "wanted.config"
        if fragment.is_file() and fragment.read_text() == wanted:
            return
        self._make("the configuration", "tinyconfig")
        with (self.objects / ".config").open("a", encoding="utf-8") as file:
            file.write(wanted)
        self._make("the configuration", "olddefconfig")
        found = (self.objects / ".config").read_text(encoding="utf-8").splitlines()
        lacking = [
            line for line in wanted.splitlines() if line.endswith("=y") and line not in found
        ]
        if lacking:
            raise UserError(f"{self.source.origin} cannot be configured with {', '.join(lacking)}")
        fragment.write_text(wanted)

    def _make(self, what: str, *targets: str) -> None:
        log = self.source.home / "make.log"
        words = ["make", "-C", str(self.tree), f"O={self.objects}", f"CC={self._cc}",
                 f"-j{self._jobs}", *targets]  # fmt: skip
        if _run(words, log):
            raise BuildFailed(what, log, errors(log.read_text(errors="replace"), self.tree))

    def c_suite(self) -> Path:
        """The directory of the kernel's own programs, static, built with the tree's headers."""
        home = self.source.home
        out, mark = home / "c", home / "c.stamp"
        if not (mark.is_file() and mark.read_text() == self._state):
            mark.unlink(missing_ok=True)
            shutil.rmtree(out, ignore_errors=True)  # its rules do not know of all headers
            out.mkdir()
            tree.overlay(self.source.tree, home / "c-tree", {f"{_SUITE}/.here": ""})
            base = ["make", "-C", str(home / "c-tree")]
            for words in (
                [*base, f"O={home / 'c-objects'}", "headers_install",
                 f"INSTALL_HDR_PATH={home / 'headers'}"],
                [*base, "-C", _SUITE, f"OUTPUT={out}", "LDFLAGS=-static", f"-j{self._jobs}",
                 f"KHDR_INCLUDES=-isystem {home / 'headers'}/include"],
            ):  # fmt: skip
                if _run(words, home / "c.log"):
                    raise BuildFailed("the C suite", home / "c.log", [])
            mark.write_text(self._state)
        return out


def _run(words: list[str], log: Path) -> int:
    """The code of a command that writes to `log`; what it has started ends when we do."""
    process = None
    # A signal that came while the process is made would leave it to itself.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    try:
        with log.open("w", encoding="utf-8") as file:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=_environment(),
                start_new_session=True,
                preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, before),
            )  # fmt: skip
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return process.wait()
    except FileNotFoundError as error:
        raise UserError(f"{words[0]} is missing: no kernel can be built") from error
    except BaseException:
        if process:
            _end(process)
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its group, make first by request: it removes what is half written."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(_PATIENCE)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        pass
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def errors(log: str, tree_: Path) -> list[tuple[str, int, str]]:
    """File, line and message of what the compiler refused."""
    return [
        (name.replace(f"{tree_}/", "").lstrip("./"), int(line), said)
        for name, line, said in _ERROR.findall(log)
    ]


def _environment() -> dict[str, str]:
    fixed = {
        "KBUILD_BUILD_TIMESTAMP": "Thu Jan 1 00:00:00 UTC 1970",
        "KBUILD_BUILD_USER": "mutants",
        "KBUILD_BUILD_HOST": "mutants",
        "LC_ALL": "C",
    }
    return {**os.environ, **fixed}
