"""Runs both suites on a kernel that counts what of it runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from mutants import gcov
from mutants.build import Workshop
from mutants.campaign import Campaign
from mutants.gcov import Reached
from vmtest import results
from vmtest.errors import UserError
from vmtest.guestrun import PYTEST
from vmtest.results import KernelResult


def measure(shop: Workshop, campaign: Campaign) -> str:
    """The part of the page about coverage."""
    source = shop.source.tree
    kernel = shop.kernel("gcov", gcov.makefiles(source), gcov.OPTIONS)
    notes = shop.source.home / "notes"
    for file in gcov.wanted(source):
        note = Path(file).with_suffix(".gcno")
        (notes / note).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(shop.objects / note, notes / note)
    campaign = campaign.of(kernel)
    ours = _counted(shop, campaign, "ours", [[*PYTEST, "-q", "tests"]], [])
    theirs = {}
    if campaign.programs:
        everything: list[list[object]] = [
            [path.name, 300.0]
            for path in sorted(campaign.programs.iterdir())
            if path.suffix == "" and "helper" not in path.name
        ]
        theirs = _counted(shop, campaign, "c", [], everything)
    return gcov.text(ours, theirs, source)


def _counted(
    shop: Workshop,
    campaign: Campaign,
    label: str,
    stages: list[list[str]],
    programs: list[list[object]],
) -> dict[str, Reached]:
    kept = shop.source.home / f"gcov-{label}.json"
    if not kept.is_file() or kept.stat().st_mtime < campaign.kernel.path.stat().st_mtime:
        step = {"mutant": label, "number": 0, "stages": stages, "programs": programs}
        result = _boot(campaign, label, step)
        kept.write_text(json.dumps([record for record in result.more if "gcov" in record]))
    return gcov.read(json.loads(kept.read_text()), shop.source.home / "notes", shop.source.tree)


def _boot(campaign: Campaign, label: str, step: dict[str, object]) -> KernelResult:
    guest = campaign.boot(f"gcov-{label}", [step], gcov=True)
    try:
        while guest.step():
            campaign.pause()
    finally:
        guest.close()
    if guest.result.end != results.FINISHED:
        raise UserError(f"the kernel with gcov {guest.result.end}: {guest.result.tail[-1:]}")
    return guest.result
