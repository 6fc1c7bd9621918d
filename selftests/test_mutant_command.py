"""``python -m mutants``: what it takes up, what it says, and the code that it ends with."""

from __future__ import annotations

from mutants import __main__ as command
from mutants.csource import Span
from mutants.schemata import EXPRESSION, Edit
from selftests.test_mutants import mutant


def test_mechanical_mutant_is_known_by_the_text_that_it_replaces() -> None:
    """Its number among its like is no name: one more before it, and it is another one's."""
    edit = Edit(1001, Span(0, 1), EXPRESSION, "0")
    found = [
        command.key(mutant(find="", rule=rule, operator="swap the error"), edit)
        for rule in ("-EINVAL", "-ENOENT")
    ]
    assert found[0] != found[1]


def test_chosen_mutant_is_known_as_ever() -> None:
    """What is kept of it stands."""
    assert command.key(mutant(), Edit(1, Span(0, 1), EXPRESSION, "0")) == "7838d001c2c888a0"
