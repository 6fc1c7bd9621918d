"""How vmtest uses apt: which archive it asks, and when it fetches what that has."""

from __future__ import annotations

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
    assert archive.source_for(suite, sources, "bookworm") == Source(uri, suite, "")


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
    monkeypatch.setattr(archive.Archive, "_shown", lambda self, name: SHOWN[name])
    assert archive.Archive("sid").newest(package) == newest


def test_machine_without_such_a_source_is_told() -> None:
    """One line that says what is missing."""
    with pytest.raises(UserError, match="no source for buster"):
        archive.source_for("sid", archive.parse_sources(SOURCES), "buster")
