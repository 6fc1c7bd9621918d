"""Options of the search in tests/model; see `helpers.model.machine`."""

from __future__ import annotations

import argparse
from typing import NamedTuple

import pytest

from helpers import deadline

DEFAULT_STEPS, DEFAULT_SECONDS = 1000, 3.0
_SLOWEST = 20  # steps a second


class Extent(NamedTuple):
    """How far to search: so many steps, for so many seconds at most, beginning at a seed."""

    steps: int
    seconds: float
    seed: int


def _count(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if not number:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of steps, 1 at least")
    return number


def add_options(group: pytest.OptionGroup) -> None:
    """Add them to the suite's."""
    group.addoption(
        "--model-steps",
        type=_count,
        metavar="N",
        help=f"steps to take for each test in tests/model, however long it lasts (default: "
        f"{DEFAULT_STEPS}, or what {DEFAULT_SECONDS:g} seconds allow)",
    )
    group.addoption(
        "--model-seed",
        type=int,
        default=0,
        metavar="N",
        help="where their search begins (default: %(default)s)",
    )


def extent(config: pytest.Config) -> Extent:
    """What the options say."""
    steps, seed = config.getoption("model_steps"), config.getoption("model_seed")
    if steps is None:
        return Extent(DEFAULT_STEPS, DEFAULT_SECONDS, seed)
    return Extent(steps, float("inf"), seed)


def allow_time(item: pytest.Item) -> None:
    """Let a long search last longer than other tests may."""
    steps, usual = item.config.getoption("model_steps"), item.config.getoption("timeout")
    if steps is not None and usual:
        item.add_marker(pytest.mark.timeout(usual + steps / _SLOWEST * deadline.slowness()))
