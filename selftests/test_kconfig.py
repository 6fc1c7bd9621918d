"""The configuration fragments, against the gates of the tests."""

from __future__ import annotations

import errno

import pytest

from helpers import features, kernel
from helpers.features import Broken, Feature, Present
from helpers.gating import decide
from helpers.kernel import Version
from selftests import kconfig


def test_fragment_has_what_the_gates_know_and_where_it_is_needed() -> None:
    """Each option by which a skip can be explained, with the folders of its tests, and no other."""
    text = kconfig.FRAGMENT.read_text("utf-8")
    gated = text.partition("a selftest compares.\n")[2].partition("\n\n")[0]
    assert gated.splitlines() == kconfig.lines(), "make them anew: python -m selftests.kconfig"


def test_fragments_name_every_option_once() -> None:
    """Beside the gated ones stand what all tests need and what a machine needs."""
    both = kconfig.FRAGMENT.read_text("utf-8") + kconfig.MACHINE_FRAGMENT.read_text("utf-8")
    names = [line.partition("=")[0] for line in both.splitlines() if line.startswith("CONFIG_")]
    assert len(names) == len(set(names)) > 40


def test_probe_that_fails_on_its_way_for_want_of_an_option_tells_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An errno that means nothing to the probe is explained by the configuration."""

    def probe() -> Present:
        raise OSError(errno.EINVAL, "")

    monkeypatch.setattr(kernel, "config", lambda: {"A": "y"})
    missing = Feature("teleporting", Version(3, 0), probe, ("A", "B"))
    found = features.verdict(missing)
    decision = decide(missing, found, version=Version(7, 3))
    assert decision.skip == "teleporting: this kernel is built without CONFIG_B"
    built = missing._replace(config=("A",))
    assert features.verdict(built) == Broken("probe gives EINVAL, where success was due")
