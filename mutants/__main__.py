"""``python -m mutants SOURCE``: which deliberate faults of a kernel the suite notices."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from mutants import build, catalogue, coverage, page, schemata, targets, tree
from mutants.build import BuildFailed, Workshop
from mutants.campaign import BROKEN, SOUND, Campaign, Plan, Store, Verdict
from mutants.catalogue import Mutant
from mutants.page import Row
from mutants.schemata import Edit
from vmtest import machine
from vmtest.__main__ import ending_by_exception
from vmtest.errors import UserError
from vmtest.guestrun import Settings, sweep
from vmtest.images import Kernel
from vmtest.results import FINISHED, KernelResult

USAGE_ERROR = 2
_FIRST_AUTOMATIC = 1001
_SWITCH_FILE = "fs/pidfs.c"
# What a mutant reads beyond the end of what it was given is the same in every run.
_KERNEL_OPTIONS = ("init_on_alloc=1",)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mutants",
        description="Build one kernel that holds every mutant behind a switch, boot it once for "
        "each, and see whether the tests notice. Goes on where it was interrupted.",
        epilog="SOURCE is a kernel tree, a tarball of one, or PACKAGE@SUITE, a Debian source "
        "package such as linux-source-7.3@trixie-backports. It is never written to.",
    )
    parser.add_argument("source", metavar="SOURCE")
    parser.add_argument("--only", action="append", metavar="PATTERN", help="mutants by name")
    parser.add_argument("--chosen", action="store_true", help="no mechanical mutants")
    parser.add_argument("--again", action="store_true", help="also those that have a verdict")
    parser.add_argument("--all-tests", action="store_true", help="all tests, whatever notices")
    parser.add_argument(
        "--quick", action="store_true", help="only the tests that are about a mutant"
    )
    parser.add_argument(
        "--batch", type=int, default=1, help="mutants after each other in one machine (1)"
    )
    parser.add_argument("--no-c", action="store_true", help="without the kernel's own suite")
    parser.add_argument("--no-coverage", action="store_true", help="without the gcov kernel")
    parser.add_argument(
        "--from-results", action="store_true", help="only tell what is known, run nothing"
    )
    parser.add_argument("--check", action="store_true", help="only see that every mutant applies")
    parser.add_argument("--page", type=Path, help="write the table there, as Markdown")
    parser.add_argument("--jobs", type=int, default=2, help="machines side by side (2)")
    parser.add_argument("--build-jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument(
        "--enough", type=int, default=8, help="failures after which a mutant is let go (8)"
    )
    parser.add_argument("--cpus", type=int, default=2, help="of a machine (2)")
    parser.add_argument("--silence", type=float, default=120.0, help="seconds that mean a hang")
    return parser


def prepare(source: Path) -> list[tuple[Mutant, Edit]]:
    """Every mutant with its edit: the chosen ones first, then what operators make."""
    texts: dict[str, str] = {}
    chosen = []
    for number, mutant in enumerate(catalogue.load(), 1):
        if mutant.file not in texts:
            texts[mutant.file] = _text(source, mutant.file)
        chosen.append((mutant, catalogue.edit(mutant, number, texts[mutant.file])))
    return chosen + targets.automatic(source, _FIRST_AUTOMATIC, chosen)


def _text(source: Path, name: str) -> str:
    try:
        return (source / name).read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"this source has no {name}") from error


def edited(source: Path, mutants: list[tuple[Mutant, Edit]]) -> dict[str, str]:
    """The files that differ from the source's, all mutants in them."""
    files = {build.HEADER: build.HEADER_TEXT}
    for name in dict.fromkeys(mutant.file for mutant, _ in mutants):
        edits = [edit for mutant, edit in mutants if mutant.file == name]
        files[name] = build.INCLUDE + schemata.compose(_text(source, name), edits)
    files[_SWITCH_FILE] += build.SWITCH_TEXT
    return files


def make(shop: Workshop, mutants: list[tuple[Mutant, Edit]]) -> tuple[Kernel, list[str]]:
    """The kernel of all mutants, and the names of those that the compiler refused.

    Only mechanical ones may be refused: they are left out, and the rest is built.
    """
    refused: list[str] = []
    kept = list(mutants)
    while True:
        try:
            return shop.kernel("mutants", edited(shop.source.tree, kept)), refused
        except BuildFailed as failure:
            places = {(file, line) for file, line, _ in failure.errors}
            bad = [m.name for m, e in kept if m.operator and _is_at(shop, m, e, places)]
            if not bad:
                raise
            refused += bad
            kept = [pair for pair in kept if pair[0].name not in bad]


def _is_at(shop: Workshop, mutant: Mutant, edit: Edit, places: set[tuple[str, int]]) -> bool:
    text = _text(shop.source.tree, mutant.file)
    last = text.count("\n", 0, edit.span.end) + 1
    return any((mutant.file, line) in places for line in range(mutant.line, last + 1))


def plans(mutants: list[tuple[Mutant, Edit]], options: argparse.Namespace) -> list[Plan]:
    """What is to be run, in order."""
    found = []
    for mutant, edit in mutants:
        wanted = not options.only or any(fnmatchcase(mutant.name, p) for p in options.only)
        if wanted and not (options.chosen and mutant.operator):
            known = repr((mutant.file, mutant.function, mutant.find, edit.kind, edit.broken))
            key = hashlib.sha256(known.encode()).hexdigest()[:16]
            found.append(Plan(mutant, edit.number, key, not options.no_c and bool(mutant.c)))
    return found


def known(store: Store, wanted: list[Plan]) -> list[Row]:
    """The verdicts that there are, in order."""
    found = [(plan.mutant, store.get(plan.mutant.name, plan.edit)) for plan in wanted]
    return [Row(mutant, verdict) for mutant, verdict in found if verdict]


class _Run:
    """One call of the command."""

    def __init__(self, shop: Workshop, kernel: Kernel, options: argparse.Namespace) -> None:
        qemu = machine.find_qemu()
        kvm = machine.kvm_works(qemu)
        self.settings = Settings(
            kvm=kvm, cpus=options.cpus, boot_timeout=300.0, silence=options.silence
        )
        self.command = machine.compose(
            kernel,
            kvm=kvm,
            cpus=self.settings.cpus,
            memory=self.settings.memory,
            qemu=qemu,
            options=_KERNEL_OPTIONS,
        )
        self.programs = None if options.no_c else shop.c_suite()
        self.store = Store(shop.source.home / "results")
        self.options = options
        self.campaign = Campaign(kernel, self.command, self.settings, self.programs, options.enough)

    def sound(self) -> None:
        """Run everything with no mutant: what fails then says nothing about any."""
        programs = sorted({name for mutant in catalogue.load() for name in mutant.c})
        nothing = Mutant(SOUND, "", "", "no rule", (), tuple(programs))
        key = self.campaign.key(suite=True)
        known = self.store.get(SOUND, key)
        if known is None or self.options.again:
            plan = Plan(nothing, 0, key, c=False)
            both = [plan, Plan(nothing, 0, plan.edit, c=True, only_c=True)]
            gave: dict[bool, Verdict] = {}

            def ended(plan: Plan, verdict: Verdict, result: KernelResult) -> None:
                if result.end != FINISHED or not (result.tests or plan.only_c):
                    tail = "\n  ".join(result.tail)
                    raise UserError(f"the kernel without a mutant {result.end}:\n  {tail}")
                gave[plan.only_c] = verdict

            wanted = both[:1] if self.options.no_c else both
            self.campaign.run(wanted, self.options.jobs, ended, everything=True)
            known = gave[False]
            if True in gave:
                known.programs = gave[True].programs
            self.store.put(known)
        self.campaign.sound = known
        for name in known.failed:
            sys.stdout.write(f"fails without any mutant, and does not count: {name}\n")

    def all(self, wanted: list[Plan]) -> None:
        """Run what has no verdict yet."""
        left = [self._lacking(p) for p in wanted if self.options.again or not self._is_done(p)]
        again: list[Plan] = []
        done, total = 0, len(left)

        def ended(plan: Plan, verdict: Verdict, result: KernelResult) -> None:
            nonlocal done
            done += 1
            before = self._verdict(plan)
            if plan.only_c and before:
                verdict = before.with_c_of(verdict)
            elif not plan.c and before:
                verdict = verdict.with_c_of(before)
            if plan.only_c:
                pass
            elif verdict.is_doubtful and not plan.patient:
                again.append(replace(plan, patient=True))
                return
            elif plan.c and not verdict.c and verdict.ours != BROKEN:
                again.append(replace(plan, only_c=True))
            self.store.put(verdict)
            sys.stdout.write(f"{done}/{total} {page.line(Row(plan.mutant, verdict))}\n")
            sys.stdout.flush()
            del result

        self.campaign.run(
            left, self.options.jobs, ended, batch=self.options.batch,
            everything=self.options.all_tests, quick=self.options.quick,
        )  # fmt: skip
        while again:
            left, again = again, []
            total += len(left)
            self.campaign.run(left, self.options.jobs, ended)

    def _is_done(self, plan: Plan) -> bool:
        verdict = self._verdict(plan)
        if not verdict or not verdict.ours:
            return False
        return verdict.is_killed or verdict.everything or self.options.quick

    def _lacking(self, plan: Plan) -> Plan:
        """The plan, without what an earlier run of it has found."""
        verdict = self._verdict(plan)
        known = verdict is not None and verdict.c and not self.options.again
        return replace(plan, c=False) if known else plan

    def _verdict(self, plan: Plan) -> Verdict | None:
        return self.store.get(plan.mutant.name, plan.edit)


def _run(options: argparse.Namespace, words: Sequence[str]) -> int:
    source = tree.find(options.source)
    everything = prepare(source.tree)
    wanted = plans(everything, options)
    if options.check:
        sys.stdout.write(f"{len(wanted)} mutants apply to Linux {source.version}\n")
        return 0
    shop = Workshop(source, options.build_jobs)
    refused: list[str] = []
    if not options.from_results:
        machine.find_virtme()
        sweep()
        kernel, refused = make(shop, everything)
        run = _Run(shop, kernel, options)
        run.sound()
        run.all([plan for plan in wanted if plan.mutant.name not in refused])
        if not options.no_coverage:
            coverage.measure(shop, run.campaign)
    rows = known(Store(source.home / "results"), wanted)
    shares = "" if options.no_coverage else coverage.told(shop)
    sys.stdout.write(page.summary(rows))
    if options.page:
        date = time.strftime("%Y-%m-%d")
        command = f"tox -e mutants -- {source.origin} {' '.join(words[1:])}"
        text = page.markdown(rows, version=source.version, date=date, command=command,
                             coverage=shares, unbuilt=refused)  # fmt: skip
        options.page.write_text(text, encoding="utf-8")
    return int(any(not row.verdict.is_killed for row in rows if not row.mutant.operator))


def main(words: Sequence[str]) -> int:
    """The command; its code is 1 where a chosen mutant survives."""
    options = _parser().parse_args(words)
    try:
        with ending_by_exception():
            return _run(options, words)
    except UserError as error:
        sys.stderr.write(f"mutants: {error}\n")
        return USAGE_ERROR
    except KeyboardInterrupt:
        sys.stderr.write("mutants: interrupted; the same command goes on from here\n")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
