"""``python -m vmtest IMAGE... [-- PYTEST ARGS]``: the suite in virtual machines."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vmtest import cache, checks, images, machine, matrix, pinned, results, table
from vmtest.errors import UserError
from vmtest.guestrun import GuestRun, Settings, sweep
from vmtest.images import Kernel
from vmtest.progress import Progress
from vmtest.results import KernelResult

USAGE_ERROR = 2
_TICK = 0.1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vmtest",
        usage="%(prog)s [OPTIONS] IMAGE... [-- PYTEST ARGS]",
        description="Run the suite on other kernels, each in a virtual machine of its own.",
        epilog="IMAGE is a vmlinuz or bzImage, a built kernel tree, a modules directory, a kernel "
        ".deb, or PACKAGE@SUITE, a Debian package from the archive that apt is configured for.",
    )
    parser.add_argument("images", nargs="*", metavar="IMAGE")
    parser.add_argument(
        "--matrix", action="store_true", help="the kernels of vmtest/kernels.txt, each by its label"
    )
    parser.add_argument(
        "--jobs",
        type=checks.count,
        help="machines side by side (default: as many as cores and memory hold)",
    )
    parser.add_argument(
        "--cpus",
        type=checks.count,
        default=2,
        help="of a machine (default: 2); with 1 a matrix is done sooner, and races show less",
    )
    parser.add_argument("--memory", type=checks.count, default=1024, help="MiB of a machine (1024)")
    parser.add_argument("--no-kvm", action="store_true", help="emulate, even where KVM works")
    parser.add_argument("--boot-timeout", type=checks.seconds, default=120.0, help="seconds (120)")
    parser.add_argument(
        "--silence",
        type=checks.seconds,
        default=180.0,
        help="seconds without news that mean a hang (180)",
    )
    parser.add_argument("--user", action="store_true", help="run as an ordinary user, not as root")
    parser.add_argument(
        "--pins",
        type=Path,
        metavar="DIR",
        help="fail a kernel on which anything is skipped otherwise than in DIR's list for it and "
        "the user",
    )
    parser.add_argument(
        "--write-pins", action="store_true", help="write those lists instead, to be read and kept"
    )
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="directory for JSON and logs"
    )
    parser.add_argument("--table", type=Path, help="write the table there, as Markdown")
    parser.add_argument(
        "--from-results", action="store_true", help="make the table from --results, run nothing"
    )
    return parser


def kernels(options: argparse.Namespace) -> list[Kernel]:
    """The kernels that the user means; their names in the table are made unique."""
    found = []
    if options.matrix:
        for entry in matrix.entries():
            found.append(images.resolve(entry.package, label=entry.label, sha256=entry.sha256))
    found += [images.resolve(name) for name in options.images]
    seen: dict[str, int] = {}
    unique = []
    for kernel in found:
        if options.user:
            kernel = kernel._replace(label=f"{kernel.label} user")
        seen[kernel.label] = number = seen.get(kernel.label, 0) + 1
        label = kernel.label if number == 1 else f"{kernel.label} ({number})"
        unique.append(kernel._replace(label=label))
    return unique


def run(found: list[Kernel], settings: Settings, jobs: int) -> list[KernelResult]:
    """Run the suite on each kernel, `jobs` at a time; the results are in the same order."""
    sweep()
    qemu = machine.find_qemu()
    commands = [
        machine.compose(
            kernel, kvm=settings.kvm, cpus=settings.cpus, memory=settings.memory, qemu=qemu
        )
        for kernel in found
    ]
    everything: list[GuestRun] = []
    running: list[GuestRun] = []
    progress = Progress(len(found))
    try:
        for kernel, command in zip(found, commands):
            everything.append(GuestRun(kernel, command, settings))
        # The last ones are mostly the newest and have the most to do: beside others they go first.
        waiting = everything[::-1] if jobs > 1 else everything[:]
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(waiting.pop(0))
            for guest in list(running):
                if not guest.step():
                    running.remove(guest)
                    guest.close()
                    progress.ended(guest.result)
            progress.show([guest.result for guest in running])
            time.sleep(_TICK)
    finally:
        progress.close()
        for guest in everything:
            guest.close()
    return [guest.result for guest in everything]


def exit_code(found: list[KernelResult]) -> int:
    """The code of pytest inside when there is one kernel; else whether all went well."""
    if len(found) == 1:
        return found[0].exit_code
    return int(any(result.exit_code for result in found))


@contextmanager
def ending_by_exception() -> Iterator[None]:
    """Let the signals that ask for an end pass through every ``finally``.

    One that is ignored stays so: nohup(1) means it.
    """

    def stop(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = {
        number: signal.signal(number, stop)
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _collect(options: argparse.Namespace, arguments: Sequence[str]) -> list[KernelResult]:
    if options.from_results:
        files = sorted(options.results.glob("*.json"))
        if not files:
            raise UserError(f"{options.results} holds no results")
        return sorted(map(results.read, files), key=lambda result: table.order(result.label))
    if not options.images and not options.matrix:
        raise UserError("name at least one IMAGE, or --matrix")
    qemu = machine.find_qemu()
    machine.find_virtme()
    checks.directory(options.results, "results")
    found = kernels(options)
    settings = Settings(
        kvm=not options.no_kvm and machine.kvm_works(qemu, found[0].path),
        cpus=options.cpus,
        memory=options.memory,
        boot_timeout=options.boot_timeout,
        silence=options.silence,
        arguments=tuple(arguments),
        keep=options.results,
        ordinary_user=options.user,
    )
    jobs = options.jobs or settings.side_by_side()
    if options.pins and not options.write_pins:
        pinned.require((kernel.release for kernel in found), options.pins, root=not options.user)
    return run(found, settings, jobs)


def main(words: Sequence[str]) -> int:
    """The command."""
    split = words.index("--") if "--" in words else len(words)
    options = _parser().parse_args(words[:split])
    try:
        if options.write_pins and not options.pins:
            raise UserError("--write-pins needs --pins=DIR to write to")
        if options.write_pins and words[split + 1 :]:
            raise UserError("--write-pins needs a run of all tests: give pytest no arguments")
        if options.write_pins:
            checks.directory(options.pins, "lists")
        if options.table:
            checks.file(options.table)
        with ending_by_exception(), cache.room("what is made and kept"):
            found = _collect(options, words[split + 1 :])
            if options.pins and not options.write_pins:
                for result in found:
                    pinned.compare(result, options.pins, whole=not words[split + 1 :])
            if options.table:
                options.table.write_text(table.markdown(found), encoding="utf-8")
            sys.stdout.write(table.text(found))
            if options.write_pins:
                pinned.write_all(found, options.pins)
    except UserError as error:
        sys.stderr.write(f"vmtest: {error}\n")
        return USAGE_ERROR
    except KeyboardInterrupt:
        sys.stderr.write("vmtest: interrupted\n")
        return 130
    return exit_code(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
