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
# What costs time where every instruction is emulated: a clock that a starved guest measures wrong
# is many times too fast; pages cleared and copied by string instructions (the second option is
# the kernel's own name for good ones, "rep_good") take one step a word; and code that is found at
# other addresses in each program is translated anew.
_EMULATED = ("clocksource=hpet", "clearcpuid=112", "norandmaps")
_EMULATED_CPU = "la57=off,erms=off,fsrm=off"
_TRIAL = 15.0  # seconds; where KVM works it takes one or two
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


def kvm_works(qemu: str, image: Path) -> bool:
    """Whether KVM runs the kernel `image` to its panic for want of a root.

    That /dev/kvm opens does not tell, nor that a machine can be made: under another hypervisor
    the first instruction may be one too many.
    """
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    trial = [qemu, "-accel", "kvm", "-cpu", "host", "-m", "512M", "-nodefaults", "-display", "none",
             "-no-reboot", "-kernel", str(image), "-append", "panic=-1 rdinit=/none"]  # fmt: skip
    try:
        done = subprocess.run(
            trial, stdin=subprocess.DEVNULL, capture_output=True, timeout=_TRIAL, check=False
        )
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
    for option in (*_KERNEL_OPTIONS, *(() if kvm else _EMULATED), *options):
        words += ["--kopt", option]
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    shown = done.stdout.strip().splitlines()
    if done.returncode or not shown:
        said = done.stderr.strip().splitlines() or ["it says nothing"]
        raise UserError(f"virtme-ng cannot start {kernel.path}: {said[-1]}")
    command = _without_files(shlex.split(shown[-1]))
    if not kvm and "-cpu" in command:
        command[command.index("-cpu") + 1] += f",{_EMULATED_CPU}"
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
        self._errors = directory / "qemu"
        self._offset = 0
        self.started = time.monotonic()
        with self._console.open("wb") as console, self._errors.open("wb") as errors:
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

    def failure(self) -> str:
        """How qemu failed; empty where it runs or ended as it should: a guest restarts at last."""
        status = self._process.poll()
        if not status:
            return ""
        how = f"ended with {status}" if status > 0 else f"was killed by signal {-status}"
        return ": ".join([f"qemu {how}", *self.complaints()[-1:]])

    def complaints(self) -> list[str]:
        """What qemu itself said."""
        return self._errors.read_text(encoding="utf-8", errors="replace").splitlines()

    def kill(self) -> None:
        """End it now."""
        self._process.kill()
        self._process.wait()
