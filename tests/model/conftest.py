"""The search for a disagreement between the kernel and its specification."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from helpers.model import options

WITHOUT = "the model needs Hypothesis, an extra: pip install hypothesis"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let a search last as long as its steps take."""
    for item in items:
        if "assert_as_specified" in getattr(item, "fixturenames", ()):
            options.allow_time(item)


@pytest.fixture
def assert_as_specified(
    pytestconfig: pytest.Config, record_property: Callable[[str, object], None]
) -> Callable[..., None]:
    """Search among the steps of the given names, as far as the options say.

    Fails at the first answer that is not as specified, and prints the steps to it as a test.
    """
    pytest.importorskip("hypothesis", reason=WITHOUT)
    from helpers.model import machine

    def run(*names: str) -> None:
        __tracebackhide__ = True
        extent = options.extent(pytestconfig)
        effort = machine.search(names, extent.steps, extent.seed, extent.seconds)
        record_property("model", str(effort))
        print(effort)  # noqa: T201

    return run
