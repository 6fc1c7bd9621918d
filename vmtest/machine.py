"""One virtual machine: composed by virtme-ng, started, watched, ended."""

from __future__ import annotations

import ctypes
import functools
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from vmtest.errors import UserError
from vmtest.images import Kernel

QEMU = ("qemu-system-x86_64", "qemu-kvm")
RESULTS, OUTPUT = "/dev/ttyS1", "/dev/ttyS2"

# tmpfs rather than ramfs as first root; four serial ports; every mark reaches the console, and
# nothing but the kernel's own messages up to "notice"; a panic ends the machine.
_KERNEL_OPTIONS = (
    "rootfstype=tmpfs", "rdinit=/init", "8250.nr_uarts=4", "console=ttyS0", "printk.devkmsg=on",
    "loglevel=6", "panic=-1", "tsc=reliable", "random.trust_cpu=on", "apparmor=0", "selinux=0",
    "no_timer_check",  # a clock that a busy host holds up is not broken
    "mitigations=off",  # without KVM they cost a third of the time
)  # fmt: skip
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def find_qemu() -> str:
    """The emulator."""
    for name in QEMU:
        if path := shutil.which(name):
            return path
    raise UserError("no qemu: install qemu-system-x86 (or what brings qemu-system-x86_64 here)")


def find_virtme() -> str:
    """virtme-ng, beside this interpreter or on the path."""
    places = f"{os.path.dirname(sys.executable)}:{os.environ.get('PATH', '')}"
    if path := shutil.which("virtme-run", path=places):
        return path
    raise UserError("no virtme-ng: pip install virtme-ng==1.42 (tox -e vm does it)")


def kvm_works(qemu: str) -> bool:
    """Whether a machine can be made with KVM; that /dev/kvm opens does not tell."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    try:
        done = subprocess.run(
            [qemu, "-accel", "kvm", "-cpu", "host", "-nodefaults", "-display", "none", "-S",
             "-monitor", "stdio"],
            input=b"quit\n", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=10,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def compose(
    kernel: Kernel, *, kvm: bool, cpus: int, memory: int, qemu: str, options: Iterable[str] = ()
) -> list[str]:
    """The command of a machine for `kernel`, as virtme-ng would start it.

    The kernel gets `options` beside our own.
    """
    words = [
        find_virtme(), "--kimg", str(kernel.path), "--mods", "none", "--force-9p",
        "--disable-microvm", "--disable-monitor", "--cpus", str(cpus), "--memory", f"{memory}M",
        "--qemu-bin", qemu, "--dry-run", "--show-command",
    ]  # fmt: skip
    if not kvm:
        words.append("--disable-kvm")
    # A guest that a busy host starves while it measures its TSC has a clock many times too fast.
    clock = () if kvm else ("clocksource=hpet",)
    for option in (*_KERNEL_OPTIONS, *clock, *options):
        words += ["--kopt", option]
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    shown = done.stdout.strip().splitlines()
    if done.returncode or not shown:
        said = done.stderr.strip().splitlines() or ["it says nothing"]
        raise UserError(f"virtme-ng cannot start {kernel.path}: {said[-1]}")
    command = _without_files(shlex.split(shown[-1]))
    # Emulated page tables of five levels instead of four cost a twelfth of the time.
    if not kvm and "-cpu" in command:
        command[command.index("-cpu") + 1] += ",la57=off"
    return command


def _without_files(words: list[str]) -> list[str]:
    """Take out the file server of this machine's root: our guests bring their own."""
    kept: list[str] = []
    pairs = iter(words)
    for word in pairs:
        if word in ("-fsdev", "-device", "-virtfs"):
            value = next(pairs)
            if "fsdev" in word or "virtfs" in word or value.startswith("virtio-9p"):
                continue
            kept += [word, value]
        else:
            kept.append(word)
    return kept


def with_ports(command: list[str], directory: Path) -> list[str]:
    """The command with the root and the two ports that our guests use."""
    ports = [f"file:{directory / name}" for name in ("results", "output")]
    words = ["-initrd", str(directory / "root"), "-serial", ports[0], "-serial", ports[1]]
    # A guest ends by a restart, whether it is done or panics: no ACPI is needed for that.
    return [*command, *words, "-no-reboot"]


def _die_with(parent: int) -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before it could take us along
        os._exit(1)


class Machine:
    """A running machine and the files in `directory` that it writes."""

    def __init__(self, command: list[str], directory: Path) -> None:
        """Start it; it dies with this process, however that ends."""
        self._results = directory / "results"
        self._console = directory / "console"
        self._offset = 0
        self.started = time.monotonic()
        with self._console.open("wb") as console, (directory / "qemu").open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=errors,
                preexec_fn=functools.partial(_die_with, os.getpid()),
                start_new_session=True,  # Ctrl-C is for us, and we end the machines
            )

    def records(self) -> Iterator[dict[str, Any]]:
        """What the guest told since the last time."""
        try:
            with self._results.open("rb") as file:
                file.seek(self._offset)
                fresh = file.read()
        except FileNotFoundError:
            return
        complete = fresh[: fresh.rfind(b"\n") + 1]
        self._offset += len(complete)
        for line in complete.splitlines():
            try:
                record = json.loads(line)
            except ValueError:  # a dying guest may leave noise
                continue
            if isinstance(record, dict):
                yield record

    def console(self) -> str:
        """All that the kernel said."""
        return self._console.read_text(encoding="utf-8", errors="replace")

    def has_ended(self) -> bool:
        """Whether it has stopped by itself."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """End it now."""
        self._process.kill()
        self._process.wait()
