"""Kernels out of Debian packages, from the archive that this machine's apt is configured for.

apt does the work, with lists of its own: it finds the mirror, obeys the proxy, and verifies the
signatures. Of a package only the kernel and its configuration are kept.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from vmtest import cache
from vmtest.errors import UserError


class Unpacked(NamedTuple):
    """A kernel image and, where it is to be had, its configuration."""

    image: Path
    config: Path | None


class Source(NamedTuple):
    """One line of the machine's own package configuration."""

    uri: str
    release: str
    signed_by: str


_NEXT = re.compile(r"^Depends:.*?\b(linux-(?:image|binary)-\d\S*)", re.MULTILINE)
_NO_DPKG = "dpkg-deb is missing: kernel packages cannot be opened"
_BROKEN = "{} is not a Debian package, or a broken one"
_NAME = re.compile(r"(?P<package>[a-z0-9][a-z0-9.+-]+)@(?P<suite>[a-z0-9.-]+)")


def from_file(deb: Path) -> Unpacked:
    """The kernel in a .deb, unpacked once and kept by the sum of the file."""
    home = cache.directory("kernels") / f"deb-{cache.sha256(deb)[:16]}"
    return _kept(home) or _keep(home, {"file": deb.name}, [deb])


def from_archive(name: str, sha256: str = "") -> Unpacked:
    """The kernel of ``PACKAGE@SUITE``; `sha256` is the sum that its .deb must have.

    A package that only depends on the newest kernel, as linux-image-amd64, stands for that one.
    """
    match = _NAME.fullmatch(name)
    if not match:
        raise UserError(f"{name} is not PACKAGE@SUITE, as linux-image-6.12.117+deb13-amd64@trixie")
    package, suite = match["package"], match["suite"]
    if not re.search(r"\d\.\d", package):  # whose kernel changes with time
        package = Archive(suite).newest(package)
    home = cache.directory("kernels") / f"{package}@{suite}"
    kept = _kept(home, sha256)
    if kept:
        return kept
    with (
        cache.room(f"the package {name}"),
        cache.scratch(cache.directory("kernels")) as directory,
    ):
        archive = Archive(suite)
        deb = archive.download(package, directory)
        found = cache.sha256(deb)
        if sha256 and found != sha256:
            raise UserError(f"{name} is not the package that was recorded: its sha256 is {found}")
        debs = [deb]
        # From 6.19 on Debian keeps the image and its configuration in two packages.
        base = package.replace("linux-binary-", "linux-base-")
        if base != package and archive.has(base):
            debs.append(archive.download(base, directory))
        return _keep(home, {"package": name, "deb_sha256": found}, debs)


def source_tarball(name: str) -> Path:
    """The tarball of a kernel's source in ``PACKAGE@SUITE``, such as Debian's linux-source-7.3."""
    match = _NAME.fullmatch(name)
    if not match:
        raise UserError(f"{name} is not PACKAGE@SUITE, as linux-source-7.3@trixie-backports")
    home = cache.directory("sources") / name
    kept = sorted(home.glob("*.tar.*"))
    if not kept:
        with cache.room(f"the package {name}"), cache.staged(home) as work:
            deb = Archive(match["suite"]).download(match["package"], work)
            _unpack_all(deb, work)
            found = sorted((work / "usr/src").glob("linux-source-*.tar.*"))
            if not found:
                raise UserError(f"{name} holds no kernel source")
            found[0].rename(work / found[0].name)
            deb.unlink()
        kept = sorted(home.glob("*.tar.*"))
    return kept[0]


def _kept(home: Path, deb_sha256: str = "") -> Unpacked | None:
    """What was unpacked earlier, if it is still what was written then."""
    try:
        record = json.loads((home / "origin.json").read_text())
    except (OSError, ValueError):
        return None
    if deb_sha256 and record.get("deb_sha256") != deb_sha256:
        return None
    for name, total in record["files"].items():
        if not (home / name).is_file() or cache.sha256(home / name) != total:
            return None
    return Unpacked(home / "vmlinuz", home / "config" if "config" in record["files"] else None)


def _keep(home: Path, record: dict[str, object], debs: list[Path]) -> Unpacked:
    with cache.room(f"the kernel in {debs[0].name}"), cache.staged(home) as work:
        for deb in debs:
            _unpack(deb, work)
        if not (work / "vmlinuz").is_file():
            raise UserError(f"{debs[0].name} holds no kernel image")
        record["files"] = {file.name: cache.sha256(file) for file in sorted(work.iterdir())}
        (work / "origin.json").write_text(json.dumps(record, indent=1))
    unpacked = _kept(home)
    assert unpacked, f"{home} was written a moment ago"
    return unpacked


def _unpack(deb: Path, target: Path) -> None:
    """Take ``vmlinuz`` and ``config`` out of a package, wherever its release keeps them."""
    patterns = ("./boot/vmlinuz-*", "./boot/config-*", "./*lib/modules/*/vmlinuz", "./*/config")
    with cache.scratch(target.parent) as directory:
        try:
            source = subprocess.Popen(
                ["dpkg-deb", "--fsys-tarfile", deb],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except FileNotFoundError as error:
            raise UserError(_NO_DPKG) from error
        with source:
            tar = ["tar", "x", "-C", str(directory), "--wildcards", *patterns]
            # Its code is that of patterns that found nothing, too.
            done = subprocess.run(
                tar, stdin=source.stdout, stderr=subprocess.PIPE, env=_english(), check=False
            )
        _have_room(done.stderr.decode(errors="replace"))
        for file in sorted(directory.rglob("*")):
            name = file.name.partition("-")[0]
            if file.is_file() and name in ("vmlinuz", "config"):
                shutil.copyfile(file, target / name)
    if source.returncode:
        raise UserError(_BROKEN.format(deb))


def _unpack_all(deb: Path, target: Path) -> None:
    words = ["dpkg-deb", "-x", str(deb), str(target)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, env=_english(), check=False)
    except FileNotFoundError as error:
        raise UserError(_NO_DPKG) from error
    _have_room(done.stderr)
    if done.returncode:
        raise UserError(_BROKEN.format(deb))


def _english() -> dict[str, str]:
    """The environment of tools whose words are read."""
    return {**os.environ, "LC_ALL": "C"}


def _have_room(said: str) -> None:
    """Take a full disk out of what a tool said of it."""
    if os.strerror(errno.ENOSPC) in said:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def parse_sources(text: str) -> list[Source]:
    """What ``apt-get indextargets`` tells of the machine's own configuration."""
    sources = []
    for stanza in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^([\w-]+): (.*)$", stanza, re.MULTILINE))
        if fields.get("Component") == "main" and "Repo-URI" in fields:
            key = _signed_by(fields.get("Sourcesentry", ""))
            sources.append(Source(fields["Repo-URI"], fields["Release"], key))
    return sources


def _signed_by(entry: str) -> str:
    """The keyring that a source names, from the lines of its file (``FILE:LINE``)."""
    path, _, line = entry.rpartition(":")
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()[int(line) - 1 :]
    except (OSError, ValueError):
        return ""
    stanza = "\n".join(lines).partition("\n\n")[0]
    if path.endswith(".list"):
        stanza = lines[0] if lines else ""
    match = re.search(r"signed-by[:=]\s*(/[^\s\]]+)", stanza, re.IGNORECASE)
    return match[1] if match else ""


def source_for(suite: str, sources: list[Source], codename: str) -> Source:
    """The archive of `suite`: the one that brings this machine's own release.

    Security updates have an archive of their own.
    """
    own = f"{codename}-security" if suite.endswith("-security") else codename
    for source in sources:
        if source.release in (suite, own, f"{own}/updates"):
            return source._replace(release=suite)
    raise UserError(
        f"this machine's apt has no source for {own}: {suite} cannot be derived from it"
    )


class Archive:
    """apt with lists, status and cache of our own, and one suite of the machine's mirror."""

    def __init__(self, suite: str) -> None:
        """Point apt at `suite`; its lists are fetched when a package is not in them."""
        self._suite = suite
        self._home = cache.directory("apt") / suite
        for part in ("lists/partial", "archives/partial", "empty"):
            (self._home / part).mkdir(parents=True, exist_ok=True)
        (self._home / "status").touch()
        source = source_for(suite, parse_sources(self._machine_sources()), _codename())
        option = f"[signed-by={source.signed_by}] " if source.signed_by else ""
        (self._home / "sources.list").write_text(f"deb {option}{source.uri} {suite} main\n")

    @staticmethod
    def _machine_sources() -> str:
        try:
            done = subprocess.run(
                ["apt-get", "indextargets", "Created-By: Packages"],
                capture_output=True,
                text=True,
                check=False,
            )
        except FileNotFoundError as error:
            raise UserError("apt-get is missing: name an image instead of a package") from error
        return done.stdout

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
            env=_english(),
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
        self._find(package)
        while match := _NEXT.search(self._shown(package)):
            package = match[1]
        return package

    def download(self, package: str, directory: Path) -> Path:
        """Fetch a package, verified by the signatures of the archive."""
        self._find(package)
        before = set(directory.iterdir())
        self._refuse(self._apt("apt-get", "download", "-qq", package, cwd=directory), package)
        return (set(directory.iterdir()) - before).pop()

    def _find(self, package: str) -> None:
        if not self.has(package):
            self._refuse(self._apt("apt-get", "update", "-qq"), "the lists of")
            if not self.has(package):
                raise UserError(f"{self._suite} has no package {package} (any more)")

    def _refuse(self, done: subprocess.CompletedProcess[str], what: str) -> None:
        said = done.stderr.strip()
        if not done.returncode and not re.search(r"^[EW]: Failed to fetch", said, re.MULTILINE):
            return
        if "No space left" in said:
            raise UserError(f"no space left in {self._home}")
        lines = [line for line in said.splitlines() if line[:3] in ("E: ", "W: ")] or ["apt failed"]
        raise UserError(f"cannot fetch {what} {self._suite}: {lines[0][3:]}")


def _codename() -> str:
    text = Path("/etc/os-release").read_text(encoding="utf-8")
    match = re.search(r'^VERSION_CODENAME="?([\w-]+)', text, re.MULTILINE)
    if not match:
        raise UserError("this is no release of Debian: name an image instead of a package")
    return match[1]
