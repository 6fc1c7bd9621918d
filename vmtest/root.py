"""The file system of a guest: this interpreter, pytest and the suite, packed for the kernel.

It needs nothing of the kernel but the unpacking: no modules, no disk, no file server. So every
kernel gets the same one, also those whose modules are not to be had, and the guest sees nothing
of this machine.
"""

from __future__ import annotations

import compileall
import hashlib
import io
import json
import os
import py_compile
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from vmtest import bytecode, cache, cpio
from vmtest.errors import UserError
from vmtest.images import Kernel

PROJECT = Path(__file__).resolve().parent.parent
SUITE = "/suite"
SITE = "/site"

_PLUGINS = ("pytest", "pytest-timeout", "pytest-xdist")
_EXTRAS = ("hypothesis",)  # of which the guest gets what is installed here
_UNUSED = {"test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3", "ensurepip", "venv",
           "site-packages", "dist-packages", "pydoc_data", "distutils", "__pycache__"}  # fmt: skip
_LIBRARY_CACHE = Path("/etc/ld.so.cache")
_FORMAT = 3
_LARGEST = 1 << 20


def pack(
    kernel: Kernel,
    job: Mapping[str, object],
    target: Path,
    files: Mapping[str, Path],
    texts: Mapping[str, str],
) -> None:
    """Write to `target` the root for one run of `job`, with `files` and `texts` by their names.

    See ``guest/init.py``.
    """
    with cache.room("the guest's root"):
        shutil.copyfile(_base(), target)
        with target.open("ab") as file:
            writer = cpio.Writer(file)
            _add_suite(writer)
            if kernel.config:
                writer.add(kernel.config, f"/boot/config-{kernel.release}")
            interpreter = os.path.realpath(_interpreter())
            init = (Path(__file__).parent / "guest/init.py").read_text(encoding="utf-8")
            writer.file("/init", f"#!{interpreter} -SEB\n{init}".encode(), 0o755)
            writer.file("/job.json", json.dumps(job).encode())
            for name, path in files.items():
                writer.add(path, name)
            for name, text in texts.items():
                writer.file(name, text.encode())
            writer.close()


def guest_python() -> str:
    """The interpreter, by its path in the guest."""
    return os.path.realpath(_interpreter())


def _interpreter() -> str:
    return getattr(sys, "_base_executable", sys.executable)


def _add_suite(writer: cpio.Writer) -> None:
    """The project's files, and the byte code of its modules."""
    tag = sys.implementation.cache_tag
    for path in _suite_files():
        inside = path.relative_to(PROJECT)
        writer.add(path, f"{SUITE}/{inside}")
        if path.suffix == ".py" and inside.parts[0] in ("helpers", "vmtest"):
            cached = f"{SUITE}/{inside.parent}/__pycache__/{path.stem}.{tag}.pyc"
            writer.file(cached, bytecode.trusted(path.read_bytes(), f"{SUITE}/{inside}"))
    site = Path(str(metadata.distribution("pytest").locate_file(""))).resolve()
    for path, source in bytecode.rewritten(PROJECT):
        for top, inside in ((SITE, site), (SUITE, PROJECT)):
            if inside in source.parents:
                place = source.parent.relative_to(inside)
                writer.add(path, f"{top}/{place}/__pycache__/{path.name}")
                break


def _suite_files() -> Iterator[Path]:
    for directory, names, files in os.walk(PROJECT):
        names[:] = [n for n in names if n[0] not in "._" and n not in ("docs", "results")]
        for file in files:
            path = Path(directory, file)
            if not file.startswith(".") and path.stat().st_size <= _LARGEST:
                yield path


def suite_key() -> str:
    """What tells one state of the tests, and of what they need, from another."""
    digest = hashlib.sha256()
    for path in sorted(_suite_files()):
        inside = path.relative_to(PROJECT)
        if inside.parts[0] in ("conftest.py", "helpers", "known_issues.toml", "tests"):
            digest.update(f"{inside}\n".encode() + cache.sha256(path).encode())
    return digest.hexdigest()


def _base() -> Path:
    """The part that is the same for every run, made once for each interpreter and pytest."""
    wanted = [f"{d.metadata['Name']} {d.version}" for d in _distributions()]
    known = json.dumps([_FORMAT, guest_python(), sys.version, wanted])
    home = cache.directory("roots") / hashlib.sha256(known.encode()).hexdigest()[:16]
    if not (home / "base.cpio").is_file():
        with cache.staged(home) as work:
            (work / "base.json").write_text(known)
            _build(work)
    return home / "base.cpio"


def _build(work: Path) -> None:
    tree = work / "tree"
    for kind in ("stdlib", "platstdlib"):
        source = Path(sysconfig.get_paths()[kind])
        if source.is_dir():
            skip = shutil.ignore_patterns(*_UNUSED, "config-*", "*.a")
            shutil.copytree(source, _under(tree, source), ignore=skip, dirs_exist_ok=True)
    for distribution in _distributions():
        for member in distribution.files or ():
            path = Path(str(member))
            source = Path(str(distribution.locate_file(member)))
            wanted = path.suffix in (".py", ".so", ".txt", ".toml") or "dist-info" in path.parts[0]
            if wanted and ".." not in path.parts and source.is_file():
                _copy(source, tree / SITE[1:] / path)
    # Kernels may not keep the times of what they unpack: byte code must not depend on them.
    compileall.compile_dir(
        tree, quiet=2, workers=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )
    python = guest_python()
    _copy(Path(python), _under(tree, Path(python)))
    libraries = _libraries([Path(python), *tree.rglob("*.so")])
    with (work / "base.cpio").open("wb") as file:
        writer = cpio.Writer(file)
        _skeleton(writer)
        for path in sorted(tree.rglob("*")):
            if path.is_file():
                writer.add(path, f"/{path.relative_to(tree)}")
        for path in libraries:
            writer.add(path, str(path))
        if _LIBRARY_CACHE.is_file():  # leads to those that are in none of the usual places
            writer.add(_LIBRARY_CACHE, str(_LIBRARY_CACHE))
        writer.close()
    shutil.rmtree(tree)


def _skeleton(writer: cpio.Writer) -> None:
    writer.directories(["/proc", "/sys", "/dev", "/run", "/mnt", "/root", "/etc", "/newroot"])
    writer.directories(["/tmp", "/var/tmp"], 0o1777)
    writer.device("/dev/console", 5, 1)
    writer.file(
        "/etc/passwd",
        b"root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n"
        b"nobody:x:65534:65534::/:/bin/sh\n",
    )
    writer.file("/etc/group", b"root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n")
    writer.file("/etc/hosts", b"127.0.0.1 localhost\n")


def _under(tree: Path, path: Path) -> Path:
    return tree / str(path)[1:]


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


def _libraries(files: list[Path]) -> list[Path]:
    """The shared libraries that `files` need, the dynamic loader among them."""
    out = io.StringIO()
    for start in range(0, len(files), 50):
        names = list(map(str, files[start : start + 50]))
        done = subprocess.run(["ldd", *names], capture_output=True, text=True, check=False)
        out.write(done.stdout)
    found = set()
    for line in out.getvalue().splitlines():
        # Both names of one that has two: the loader is called by the first.
        for name in line.partition(" (")[0].strip().split(" => "):
            if name.startswith("/") and not name.endswith(":") and Path(name).is_file():
                found.add(Path(name))
    return sorted(found)


def _distributions() -> list[metadata.Distribution]:
    """pytest, its plugins, the extras that are installed, and all that they require here."""
    try:
        from packaging.requirements import Requirement

        found: dict[str, metadata.Distribution] = {}
        queue = [*_PLUGINS, *filter(_is_installed, _EXTRAS)]
        while queue:
            name = queue.pop().lower()
            if name in found:
                continue
            found[name] = metadata.distribution(name)
            if found[name].files is None:
                raise UserError(f"{name} was installed without a list of its files: use tox -e vm")
            for line in found[name].requires or []:
                needed = Requirement(line)
                if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                    queue.append(needed.name)
    except (ImportError, metadata.PackageNotFoundError) as error:
        raise UserError(f"pytest is not complete in this environment: {error}") from error
    return [found[name] for name in sorted(found)]


def _is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True
