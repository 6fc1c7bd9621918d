"""What vmtest takes for a kernel, and what it says of all else."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from vmtest import images, matrix
from vmtest.errors import UserError


def bzimage(release: str = "6.12.1-test", flags: int = 1) -> bytes:
    """The head of an x86 kernel image."""
    head = bytearray(0x1000)
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", head, 0x20E, 0x400)
    struct.pack_into("<H", head, 0x236, flags)
    text = f"{release} (builder) #1 SMP".encode()
    head[0x600 : 0x600 + len(text)] = text
    return bytes(head)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("image", "config"),
    [
        ("vmlinuz-6.12.1-test", "config-6.12.1-test"),
        ("bzImage", "config"),
        ("tree/arch/x86/boot/bzImage", "tree/.config"),
        ("lib/modules/6.12.1-test/vmlinuz", "lib/modules/6.12.1-test/config"),
    ],
)
def test_kernel_is_found_with_its_configuration(image: str, config: str, tmp_path: Path) -> None:
    """By the image itself, or by the tree or the modules directory around it."""
    for name, content in ((image, bzimage()), (config, b"CONFIG_X=y\n")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    named = tmp_path / image
    if "/" in image:
        named = tmp_path / ("tree" if image.startswith("tree") else "lib/modules/6.12.1-test")
    kernel = images.resolve(str(named))
    assert kernel.release == kernel.label == "6.12.1-test"
    assert kernel.path == tmp_path / image
    assert kernel.config == tmp_path / config


def test_modules_directory_leads_to_the_image_in_boot(tmp_path: Path) -> None:
    """Where /lib/modules/RELEASE holds no image itself."""
    modules = tmp_path / "lib/modules/6.12.1-test"
    modules.mkdir(parents=True)
    (tmp_path / "boot").mkdir()
    (tmp_path / "boot/vmlinuz-6.12.1-test").write_bytes(bzimage())
    assert images.resolve(str(modules)).path == tmp_path / "boot/vmlinuz-6.12.1-test"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"hello", "is not a kernel image"),
        (b"\x7fELF" + b"\0" * 100, "name the bzImage"),
        (b"MZ" + b"\0" * 54 + b"ARM\x64", "another architecture (arm64)"),
        (bzimage(flags=0), "32-bit"),
        (bzimage()[:0x900], "is cut short: 2304 bytes of 2560"),
    ],
    ids=["text", "vmlinux", "arm64", "i386", "cut"],
)
def test_what_is_no_kernel_for_us_is_refused_in_one_line(
    content: bytes, said: str, tmp_path: Path
) -> None:
    """With the reason."""
    (tmp_path / "image").write_bytes(content)
    with pytest.raises(UserError) as caught:
        images.resolve(str(tmp_path / "image"))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere/vmlinuz", ".", "UPPER@trixie"])
def test_names_that_lead_nowhere_are_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No such file, a directory without a kernel, no name of a package."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError):
        images.resolve(name)


def make_deb(directory: Path, content: bytes) -> Path:
    """A package with a kernel in it."""
    if not shutil.which("dpkg-deb"):
        pytest.skip("dpkg-deb is missing")
    tree = directory / "deb"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "boot").mkdir()
    (tree / "DEBIAN/control").write_text(
        "Package: linux-image-x\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x>\n"
        "Description: x\n"
    )
    (tree / "boot/vmlinuz-6.12.1-test").write_bytes(content)
    (tree / "boot/config-6.12.1-test").write_text("CONFIG_X=y\n")
    deb = directory / "kernel.deb"
    subprocess.run(["dpkg-deb", "-b", "-Znone", tree, deb], check=True, capture_output=True)
    return deb


def test_package_file_is_unpacked_once_and_verified_ever_after(tmp_path: Path) -> None:
    """A kept image that was changed since is unpacked anew."""
    deb = make_deb(tmp_path, bzimage())
    first = images.resolve(str(deb))
    assert first.release == "6.12.1-test"
    assert first.config
    inode = first.path.stat().st_ino
    assert images.resolve(str(deb)).path.stat().st_ino == inode
    first.path.write_bytes(b"something else")
    assert images.resolve(str(deb)).release == "6.12.1-test"


def test_broken_package_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """In one line, not with dpkg's as well; nothing half made is left in the cache."""
    (tmp_path / "broken.deb").write_bytes(b"!<arch>\nnonsense")
    with pytest.raises(UserError, match="not a Debian package"):
        images.resolve(str(tmp_path / "broken.deb"))
    assert capfd.readouterr().err == ""
    assert not list((tmp_path / "cache/pidfd-tests/kernels").glob("*"))


def test_matrix_lists_ten_kernels() -> None:
    """Each a package with suite and sum."""
    entries = matrix.entries()
    assert [entry.label for entry in entries] == [
        "6.1", "6.12", "6.16", "6.17", "6.18", "6.19", "7.0", "7.1", "7.2", "7.3",
    ]  # fmt: skip
    assert all("@" in entry.package and len(entry.sha256) == 64 for entry in entries)


@pytest.mark.parametrize("size", [0x206, 0x20A, 0x237])
def test_image_that_was_cut_is_one_line(size: int, tmp_path: Path) -> None:
    """As a download that broke off leaves it."""
    (tmp_path / "vmlinuz").write_bytes(bzimage()[:size])
    with pytest.raises(UserError, match="is not a kernel image: it ends within its header"):
        images.resolve(str(tmp_path / "vmlinuz"))
