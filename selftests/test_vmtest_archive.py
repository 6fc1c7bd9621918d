"""How vmtest uses apt: which archive it asks, and when it fetches what that has."""

from __future__ import annotations

from pathlib import Path
from subprocess import CompletedProcess

import pytest

from vmtest import archive
from vmtest.archive import Source
from vmtest.errors import UserError

SOURCES = """\
Repo-URI: http://mirror.example/debian/
Release: bookworm
Component: main
Sourcesentry: /nonexistent/debian.sources:1

Repo-URI: http://mirror.example/debian-security/
Release: bookworm-security
Component: main

Repo-URI: http://mirror.example/debian/
Release: bookworm
Component: contrib

Repo-URI: http://elsewhere.example/
Release: nodistro
Component: main
"""


@pytest.mark.parametrize(
    ("suite", "uri"),
    [
        ("trixie-backports", "http://mirror.example/debian/"),
        ("sid", "http://mirror.example/debian/"),
        ("trixie-security", "http://mirror.example/debian-security/"),
    ],
)
def test_mirror_is_the_one_that_this_machine_uses(suite: str, uri: str) -> None:
    """The archive of the machine's own release has the other suites as well."""
    sources = archive.parse_sources(SOURCES)
    names = frozenset({f"bookworm{'-security' * suite.endswith('-security')}"})
    assert archive.source_for(suite, sources, "bookworm") == Source(uri, names, "")


def test_mirror_is_known_by_what_its_release_is_called() -> None:
    """Where the configuration says "stable", as others do of theirs."""
    other = "Repo-URI: http://other.example/\nRelease: stable\nCodename: stable\nComponent: main"
    debian = SOURCES.replace("Release: bookworm\n", "Release: stable\nCodename: bookworm\n")
    sources = archive.parse_sources(f"{other}\n\n{debian}")
    assert archive.source_for("sid", sources, "bookworm").uri == "http://mirror.example/debian/"


@pytest.mark.parametrize(
    ("name", "number", "key"),
    [("a.sources", 1, "/keys/one"), ("a.sources", 2, "/keys/two"), ("b.list", 3, "/keys/three"),
     ("a.sources", 9, ""), ("b.list", 1, "")],
)  # fmt: skip
def test_keyring_is_that_of_the_source(name: str, number: int, key: str, tmp_path: Path) -> None:
    """Of a .list file apt tells the line, of a .sources file the number of the stanza."""
    (tmp_path / "a.sources").write_text(
        "# about this\n\nTypes: deb\n# of the vendor\nURIs: http://a.example\n"
        "Signed-By: /keys/one\n\n\nTypes: deb\nSigned-By: /keys/two\n"
    )
    (tmp_path / "b.list").write_text(
        "# about this\n\ndeb [signed-by=/keys/three] http://b x main\n"
    )
    said = f"{SOURCES.split('Sourcesentry')[0]}Sourcesentry: {tmp_path / name}:{number}\n"
    assert [source.signed_by for source in archive.parse_sources(said)] == [key]


SHOWN = {
    "linux-image-amd64": "Depends: linux-image-7.3.4-amd64 (= 7.3.4-1)",
    "linux-image-7.3.4-amd64": "Depends: linux-binary-7.3.4-amd64 (= 7.3.4-1)",
    "linux-binary-7.3.4-amd64": "Depends: kmod, linux-base-7.3.4-amd64 (= 7.3.4-1)",
    "linux-image-6.1.0-56-amd64": "Depends: kmod, linux-base (>= 4.3~), initramfs-tools",
}


@pytest.mark.parametrize(
    ("package", "newest"),
    [
        ("linux-image-amd64", "linux-binary-7.3.4-amd64"),
        ("linux-image-6.1.0-56-amd64", "linux-image-6.1.0-56-amd64"),
    ],
)
def test_package_without_a_kernel_stands_for_the_one_it_depends_on(
    package: str, newest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through as many packages as a release has between the two."""
    monkeypatch.setattr(archive.Archive, "__init__", lambda self, suite: None)
    monkeypatch.setattr(archive.Archive, "_update", lambda self: None)
    monkeypatch.setattr(archive.Archive, "_shown", lambda self, name: SHOWN[name])
    assert archive.Archive("sid").newest(package) == newest


def test_machine_without_such_a_source_is_told() -> None:
    """One line that says what is missing."""
    with pytest.raises(UserError, match="no source for buster"):
        archive.source_for("sid", archive.parse_sources(SOURCES), "buster")


class Apt:
    """An apt whose mirror has another kernel than the lists that were fetched last."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand in for the tools."""
        self.listed, self.mirror, self.reachable = "7.3.3", "7.3.4", True
        self.updates = 0
        monkeypatch.setattr(archive.Archive, "_machine_sources", staticmethod(lambda: SOURCES))
        monkeypatch.setattr(archive, "_codename", lambda: "bookworm")
        monkeypatch.setattr(archive.Archive, "_apt", lambda _, *words, **more: self(*words, **more))

    def __call__(self, tool: str, *words: str, cwd: Path | None = None) -> CompletedProcess[str]:
        """Do what apt-get and apt-cache would."""
        said, failed = "", ""
        if words[0] == "update":
            self.updates += 1
            if self.reachable:
                self.listed = self.mirror
            else:
                failed = "E: Failed to fetch x  Could not connect"
        elif words[0] == "show" and words[-1] in ("linux-image-amd64", f"linux-{self.listed}"):
            said = f"Depends: linux-image-{self.listed}-amd64"
        elif words[0] == "download" and self.listed == self.mirror and self.reachable and cwd:
            (cwd / "kernel.deb").touch()
        elif words[0] == "download":
            failed = "E: Failed to fetch x  404  Not Found"
        return CompletedProcess([tool, *words], 100 if failed else 0, said, failed)


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Apt:
    """See `Apt`; with a cache of our own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Apt(monkeypatch)


def test_newest_kernel_is_that_of_the_mirror(apt: Apt) -> None:
    """Not that of the day on which the lists were fetched first."""
    assert archive.Archive("sid").newest("linux-image-amd64") == "linux-image-7.3.4-amd64"
    assert apt.updates == 1


def test_newest_kernel_known_is_taken_where_no_mirror_can_be_reached(
    apt: Apt, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be in the cache; that there may be a newer one is said."""
    apt.reachable = False
    assert archive.Archive("sid").newest("linux-image-amd64") == "linux-image-7.3.3-amd64"
    assert capsys.readouterr().err == (
        "vmtest: cannot fetch the lists of sid: Failed to fetch x  Could not connect; "
        "going by those of an earlier day\n"
    )
    apt.listed = ""
    with pytest.raises(UserError, match="cannot fetch the lists of sid"):
        archive.Archive("sid").newest("linux-image-arm64")


def test_package_that_has_left_the_mirror_is_looked_for_anew(apt: Apt, tmp_path: Path) -> None:
    """Once: the lists of that day name a file that is gone."""
    deb = archive.Archive("sid").download("linux-image-amd64", tmp_path)
    assert deb == tmp_path / "kernel.deb"
    assert apt.updates == 1


def test_package_that_fresh_lists_do_not_lead_to_is_told(apt: Apt, tmp_path: Path) -> None:
    """They are not fetched again."""
    found = archive.Archive("sid")
    found.newest("linux-image-amd64")
    apt.mirror = "7.3.5"
    with pytest.raises(UserError, match="cannot fetch linux-image-amd64 of sid: Failed to fetch"):
        found.download("linux-image-amd64", tmp_path)
    assert apt.updates == 1
