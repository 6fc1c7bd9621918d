"""Runs both suites on a kernel that counts what of it runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from mutants import gcov
from mutants.build import Workshop
from mutants.campaign import Campaign
from vmtest import cache, results
from vmtest.errors import UserError
from vmtest.guestrun import PYTEST
from vmtest.results import KernelResult


def told(shop: Workshop) -> str:
    """The part of the page about coverage, from what `measure` kept; empty where it did not."""
    found = {}
    for label in ("ours", "c"):
        kept = _kept(shop, label)
        if kept.is_file():
            records = json.loads(kept.read_text(encoding="utf-8"))["records"]
            found[label] = gcov.read(records, shop.source.home / "notes", shop.source.tree)
    return gcov.text(found["ours"], found.get("c", {}), shop.source.tree) if "ours" in found else ""


def _kept(shop: Workshop, label: str) -> Path:
    return shop.source.home / f"coverage-{label}.json"


def measure(shop: Workshop, campaign: Campaign) -> None:
    """Run both suites on the kernel that counts, unless that was done with the same of both."""
    source = shop.source.tree
    kernel = shop.kernel("gcov", gcov.makefiles(source), gcov.OPTIONS)
    notes = shop.source.home / "notes"
    for file in gcov.wanted(source):
        note = Path(file).with_suffix(".gcno")
        (notes / note).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(shop.objects / note, notes / note)
    campaign = campaign.of(kernel)
    _count(shop, campaign, "ours", [[*PYTEST, "-q", "tests"]], [])
    if campaign.programs:
        everything: list[list[object]] = [
            [path.name, campaign.settings.silence / 2]
            for path in sorted(campaign.programs.iterdir())
            if path.suffix == "" and "helper" not in path.name
        ]
        _count(shop, campaign, "c", [], everything)


def _count(
    shop: Workshop,
    campaign: Campaign,
    label: str,
    stages: list[list[str]],
    programs: list[list[object]],
) -> None:
    kept = _kept(shop, label)
    key = campaign.key(suite=bool(stages))
    if not kept.is_file() or json.loads(kept.read_text(encoding="utf-8"))["of"] != key:
        step = {"mutant": label, "number": 0, "stages": stages, "programs": programs}
        records = [record for record in _boot(campaign, label, step).more if "gcov" in record]
        cache.write(kept, json.dumps({"of": key, "records": records}))


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
