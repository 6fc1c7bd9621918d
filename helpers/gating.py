"""Run, skip or fail: what a missing feature means for the tests that need it."""

from __future__ import annotations

from typing import Callable, NamedTuple

import pytest

from helpers import features, kernel
from helpers.features import Absent, Broken, Feature, Forbidden, Present, Verdict
from helpers.kernel import Version


class Decision(NamedTuple):
    """A test runs when both are None."""

    skip: str | None = None
    fail: str | None = None


RUN = Decision()


def needs(*wanted: Feature) -> pytest.MarkDecorator:
    """Mark tests, or with ``pytestmark`` a module, as in need of features of the kernel."""
    return pytest.mark.needs(*wanted)


def decide(
    feature: Feature,
    verdict: Verdict,
    *,
    version: Version,
    lost: str = "fail",
    is_configured: Callable[[str], bool | None] = kernel.is_configured,
) -> Decision:
    """What a test does that needs `feature`, of which the kernel of `version` said `verdict`.

    `lost` is the value of ``--lost-features``: ``fail`` or ``skip``.
    """
    if isinstance(verdict, Present):
        return RUN
    if isinstance(verdict, Forbidden):
        return Decision(skip=f"forbidden here: {feature.name}: {verdict.by}")
    if isinstance(verdict, Broken):
        return Decision(fail=f"{feature.name}: {verdict.finding}")
    missing = [option for option in feature.config if is_configured(option) is False]
    if missing:
        return Decision(skip=f"{feature.name}: this kernel is built without CONFIG_{missing[0]}")
    if version < feature.since:
        return Decision(skip=f"kernel lacks {feature.name} (since {feature.since})")
    if feature.rule:
        return RUN
    return _lost(feature, verdict, version, lost)


def _lost(feature: Feature, verdict: Absent, version: Version, lost: str) -> Decision:
    reason = (
        f"lost feature: {feature.name} is in the kernel since {feature.since}, "
        f"and this one, {version}, lacks it: {verdict.evidence}"
    )
    return Decision(skip=reason) if lost == "skip" else Decision(fail=reason)


def gate(item: pytest.Item) -> Decision:
    """The decision for one test, by the first of its needs that is not met."""
    lost = item.config.getoption("lost_features")
    wanted = [feature for mark in item.iter_markers("needs") for feature in mark.args]
    for feature in (features.THREADS, *wanted):
        found = features.verdict(feature)
        decision = decide(feature, found, version=kernel.running(), lost=lost)
        if decision != RUN:
            return decision
    return RUN
