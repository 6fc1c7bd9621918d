"""``python -m mutants SOURCE``: which deliberate faults of a kernel the suite notices."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from mutants import coverage, image, page, tree
from mutants.build import Workshop
from mutants.catalogue import Mutant
from mutants.page import Row
from mutants.run import Run, campaign
from mutants.schemata import Edit
from mutants.verdicts import REFUSED, Plan, Store, Verdict
from vmtest import cache, checks, machine, root
from vmtest.__main__ import ending_by_exception
from vmtest.errors import UserError
from vmtest.guestrun import sweep

USAGE_ERROR = 2


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
        "--batch", type=checks.count, default=1, help="mutants after each other in one machine (1)"
    )
    parser.add_argument("--no-c", action="store_true", help="without the kernel's own suite")
    parser.add_argument("--no-coverage", action="store_true", help="without the gcov kernel")
    parser.add_argument(
        "--from-results", action="store_true", help="only tell what is known, run nothing"
    )
    parser.add_argument("--check", action="store_true", help="only see that every mutant applies")
    parser.add_argument("--page", type=Path, help="write the table there, as Markdown")
    parser.add_argument(
        "--jobs",
        type=checks.count,
        help="machines side by side (default: as many as cores and memory hold)",
    )
    parser.add_argument("--build-jobs", type=checks.count, default=len(os.sched_getaffinity(0)))
    parser.add_argument(
        "--enough", type=checks.count, default=8, help="failures after which a mutant is let go (8)"
    )
    parser.add_argument("--cpus", type=checks.count, default=2, help="of a machine (2)")
    parser.add_argument(
        "--silence", type=checks.seconds, default=120.0, help="seconds that mean a hang"
    )
    return parser


def plans(mutants: list[tuple[Mutant, Edit]], options: argparse.Namespace) -> list[Plan]:
    """What is to be run, in order."""
    found = []
    for mutant, edit in mutants:
        wanted = not options.only or any(fnmatchcase(mutant.name, p) for p in options.only)
        if wanted and not (options.chosen and mutant.operator):
            c = not options.no_c and bool(mutant.c)
            found.append(Plan(mutant, edit.number, key(mutant, edit), c))
    for pattern in options.only or ():
        if not any(fnmatchcase(plan.mutant.name, pattern) for plan in found):
            raise UserError(f"no mutant here is called {pattern}")
    return found


def key(mutant: Mutant, edit: Edit) -> str:
    """What identifies the change; that of a mechanical mutant by the text that it replaces."""
    known = (mutant.file, mutant.function, mutant.find or mutant.rule, edit.kind, edit.broken)
    return hashlib.sha256(repr(known).encode()).hexdigest()[:16]


def known(store: Store, wanted: list[Plan]) -> list[Row]:
    """What there is to tell of each, in order: also that it gave no result, or was never run."""
    found = []
    for plan in wanted:
        verdict = store.get(plan.mutant.name, plan.edit, broken=True)
        found.append(Row(plan.mutant, verdict or Verdict(plan.mutant.name, plan.edit)))
    return found


def _run(options: argparse.Namespace, words: Sequence[str]) -> int:
    if options.page:
        checks.file(options.page)
    source = tree.find(options.source)
    everything = image.prepare(source.tree)
    wanted = plans(everything, options)
    if options.check:
        sys.stdout.write(f"{len(wanted)} mutants apply to Linux {source.version}\n")
        return 0
    shop = Workshop(source, options.build_jobs)
    store = Store(source.home / "results")
    if not options.from_results:
        machine.find_qemu()
        machine.find_virtme()
        sweep()
        kernel, refused = image.make(shop, everything)
        run = Run(campaign(shop, kernel, options), store, options)
        for mutant, edit in everything:
            if mutant.name in refused:
                store.put(Verdict(mutant.name, key(mutant, edit), ours=REFUSED))
        run.sound()
        run.all([plan for plan in wanted if plan.mutant.name not in refused])
        if not options.no_coverage:
            coverage.measure(shop, run.campaign)
    rows = known(store, wanted)
    unbuilt = [row.mutant.name for row in rows if row.verdict.ours == REFUSED]
    rows = [row for row in rows if row.verdict.ours != REFUSED]
    shares = "" if options.no_coverage else coverage.told(shop)
    sys.stdout.write(page.summary(rows))
    if options.page:
        date = time.strftime("%Y-%m-%d")
        command = f"tox -e mutants -- {source.origin} {' '.join(words[1:])}"
        text = page.markdown(rows, suite=root.suite_key(), version=source.version, date=date,
                             command=command, coverage=shares, unbuilt=unbuilt)  # fmt: skip
        options.page.write_text(text, encoding="utf-8")
    return int(any(not row.verdict.is_killed for row in rows if not row.mutant.operator))


def main(words: Sequence[str]) -> int:
    """The command; its code is 1 where a chosen mutant is not known to be noticed."""
    options = _parser().parse_args(words)
    try:
        with ending_by_exception(), cache.room("what is made and kept"):
            return _run(options, words)
    except UserError as error:
        sys.stderr.write(f"mutants: {error}\n")
        return USAGE_ERROR
    except KeyboardInterrupt:
        sys.stderr.write("mutants: interrupted; the same command goes on from here\n")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
