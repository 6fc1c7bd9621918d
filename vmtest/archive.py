"""Packages from the archive that this machine's apt is configured for.

apt does the work, with lists of its own: it finds the mirror, obeys the proxy, and verifies the
signatures.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from vmtest import cache
from vmtest.errors import UserError

_NAMES = ("Release", "Codename", "Suite")
_NEXT = re.compile(r"^Depends:.*?\b(linux-(?:image|binary)-\d\S*)", re.MULTILINE)


class Source(NamedTuple):
    """One line of the machine's own package configuration.

    `names` are what the release is called: there, and where its lists are at hand, by itself.
    """

    uri: str
    names: frozenset[str]
    signed_by: str


def english() -> dict[str, str]:
    """The environment of tools whose words are read."""
    return {**os.environ, "LC_ALL": "C"}


def parse_sources(text: str) -> list[Source]:
    """What ``apt-get indextargets`` tells of the machine's own configuration."""
    sources = []
    for stanza in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^([\w-]+): (.*)$", stanza, re.MULTILINE))
        if fields.get("Component") == "main" and "Repo-URI" in fields:
            key = _signed_by(fields.get("Sourcesentry", ""))
            names = frozenset(fields[name] for name in _NAMES if name in fields)
            sources.append(Source(fields["Repo-URI"], names, key))
    return sources


def _signed_by(entry: str) -> str:
    """The keyring that a source names: ``FILE.list:LINE``, or ``FILE.sources:STANZA``."""
    path, _, number = entry.rpartition(":")
    try:
        text = Path(path).read_text(encoding="utf-8")
        parts = text.split("\n") if path.endswith(".list") else _stanzas(text)
        part = parts[int(number) - 1]
    except (OSError, ValueError, IndexError):
        return ""
    match = re.search(r"signed-by[:=]\s*(/[^\s\]]+)", part, re.IGNORECASE)
    return match[1] if match else ""


def _stanzas(text: str) -> list[str]:
    """Of a file in deb822 format, without comments."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [part for part in re.split(r"\n\s*\n", "\n".join(lines)) if part.strip()]


def source_for(suite: str, sources: list[Source], codename: str) -> Source:
    """The archive of `suite`: the one that brings this machine's own release.

    Security updates have an archive of their own.
    """
    own = f"{codename}-security" if suite.endswith("-security") else codename
    for source in sources:
        if source.names & {suite, own, f"{own}/updates"}:
            return source
    raise UserError(
        f"this machine's apt has no source for {own}: {suite} cannot be derived from it"
    )


class Archive:
    """apt with lists, status and cache of our own, and one suite of the machine's mirror."""

    def __init__(self, suite: str) -> None:
        """Point apt at `suite`; its lists are fetched when they do not lead to a package."""
        self._suite = suite
        self._is_fresh = False
        self._home = cache.directory("apt") / suite
        for part in ("lists/partial", "archives/partial", "empty"):
            (self._home / part).mkdir(parents=True, exist_ok=True)
        (self._home / "status").touch()
        source = source_for(suite, parse_sources(self._machine_sources()), _codename())
        option = f"[signed-by={source.signed_by}] " if source.signed_by else ""
        (self._home / "sources.list").write_text(f"deb {option}{source.uri} {suite} main\n")

    @staticmethod
    def _machine_sources() -> str:
        """All sources; first, with more names, those of which there are lists."""
        said = []
        for options in ((), ("--no-release-info",)):
            words = ["apt-get", "indextargets", *options, "Created-By: Packages"]
            try:
                done = subprocess.run(
                    words, env=english(), capture_output=True, text=True, check=False
                )
            except FileNotFoundError as error:
                raise UserError("apt-get is missing: name an image instead of a package") from error
            said.append(done.stdout)
        return "\n\n".join(said)

    def _apt(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        home = self._home
        options = {
            "Dir::Etc::sourcelist": home / "sources.list",
            "Dir::Etc::sourceparts": home / "empty",
            "Dir::State": home,
            "Dir::State::lists": home / "lists",
            "Dir::State::status": home / "status",
            "Dir::Cache": home,
            "Dir::Cache::archives": home / "archives",
            "APT::Sandbox::User": "",
            "Acquire::Languages": "none",
            # A list past its date is still signed, and old kernels are what is asked for.
            "Acquire::Check-Valid-Until": "false",
        }
        words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        tool, *rest = arguments
        return subprocess.run(
            [tool, *words, *rest],
            cwd=cwd,
            env=english(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def _shown(self, package: str) -> str:
        return self._apt("apt-cache", "show", "--no-all-versions", package).stdout

    def has(self, package: str) -> bool:
        """Whether the lists know `package`."""
        return bool(self._shown(package).strip())

    def newest(self, package: str) -> str:
        """The package with a kernel in it that `package` depends on, however indirectly."""
        try:
            self._update()
        except UserError as error:
            if not self.has(package):
                raise
            sys.stderr.write(f"vmtest: {error}; going by those of an earlier day\n")
        self._find(package)
        while match := _NEXT.search(self._shown(package)):
            package = match[1]
        return package

    def download(self, package: str, directory: Path) -> Path:
        """Fetch a package, verified by the signatures of the archive."""
        self._find(package)
        before = set(directory.iterdir())
        words = ("apt-get", "download", "-qq", package)
        done = self._apt(*words, cwd=directory)
        if _has_failed(done) and not self._is_fresh:  # the lists name what has left the mirror
            self._update()
            done = self._apt(*words, cwd=directory)
        self._refuse(done, f"{package} of")
        return next(deb for deb in directory.glob("*.deb") if deb not in before)

    def _find(self, package: str) -> None:
        if not self.has(package):
            self._update()
            if not self.has(package):
                raise UserError(f"{self._suite} has no package {package} (any more)")

    def _update(self) -> None:
        self._refuse(self._apt("apt-get", "update", "-qq"), "the lists of")
        self._is_fresh = True

    def _refuse(self, done: subprocess.CompletedProcess[str], what: str) -> None:
        if not _has_failed(done):
            return
        said = done.stderr.strip()
        if "No space left" in said:
            raise UserError(f"no space left in {self._home}")
        lines = [line for line in said.splitlines() if line[:3] in ("E: ", "W: ")] or ["apt failed"]
        raise UserError(f"cannot fetch {what} {self._suite}: {lines[0][3:]}")


def _has_failed(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether apt did not fetch all; an update of which a part fails is none to apt."""
    failed = re.search(r"^[EW]: Failed to fetch", done.stderr, re.MULTILINE)
    return bool(done.returncode or failed)


def _codename() -> str:
    text = Path("/etc/os-release").read_text(encoding="utf-8")
    match = re.search(r'^VERSION_CODENAME="?([\w-]+)', text, re.MULTILINE)
    if not match:
        raise UserError("this is no release of Debian: name an image instead of a package")
    return match[1]
