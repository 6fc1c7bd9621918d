"""The edits that make mutants, and the mechanical ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from mutants import catalogue, csource, operators, schemata
from mutants.catalogue import Mutant
from mutants.csource import NotApplicable
from mutants.schemata import EXPRESSION, STATEMENT, Edit
from vmtest.errors import UserError

SOURCE = """\
/* first() { not a function } */
static int first(struct file *file, int flags)
{
    if (flags  &
        ~ALLOWED)    /* a comment */
        return -EINVAL;
    if (file && flags) {
        forget(file);
    }
    return 0;
}

SYSCALL_DEFINE2(second, int, fd, int, flags)
{
    if (flags)
        return -EINVAL;
    file->mode |= READ;
    return first(NULL, flags);
}
"""


def mutant(**changes: object) -> Mutant:
    """An entry of the catalogue."""
    fields = {"name": "m", "file": "f.c", "function": "second", "rule": "r", "tests": (),
              "find": "-EINVAL", "kind": EXPRESSION, "text": "0"}  # fmt: skip
    return Mutant(**{**fields, **changes})  # type: ignore[arg-type]


def mutated(entry: Mutant) -> str:
    """The source with one mutant."""
    return schemata.compose(SOURCE, [catalogue.edit(entry, 7, SOURCE)])


def test_functions_are_found_by_name_and_by_system_call() -> None:
    """And not in comments."""
    assert [function.name for function in csource.functions(SOURCE)] == ["first", "second"]


def test_expression_stands_beside_the_right_one() -> None:
    """Only in the function that is meant."""
    text = mutated(mutant())
    assert "return (MUTANT(7) ? (0) : (-EINVAL));" in text.partition("SYSCALL")[2]
    assert "MUTANT" not in text.partition("SYSCALL")[0]


def test_white_space_and_comments_do_not_matter() -> None:
    """To what is looked for."""
    text = mutated(mutant(function="first", find="if(flags&~ALLOWED) «return -EINVAL;»",
                          kind=STATEMENT, text="forget(file);"))  # fmt: skip
    assert "{ if (MUTANT(7)) { forget(file); } else { return -EINVAL; } }" in text


def test_before_runs_ahead_of_what_it_names() -> None:
    """And leaves it as it is."""
    text = mutated(mutant(find="file->mode |= READ;", kind="before", text="forget(fd);"))
    assert "{ forget(fd); file->mode |= READ; } else { file->mode |= READ; }" in text


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"find": "-EPERM"}, "second() has the text not at all: -EPERM"),
        ({"find": "flags"}, "second() has the text 2 times: flags"),
        ({"function": "third"}, "there is no function third()"),
        ({"find": "~ALLOWED"}, "second() has the text not at all"),
        ({"find": "EINVA"}, "not at all"),
    ],
    ids=["nowhere", "twice", "no-function", "another-function", "part-of-a-word"],
)
def test_edit_that_does_not_apply_says_why(changes: dict[str, object], why: str) -> None:
    """With the mutant and the file."""
    with pytest.raises(NotApplicable) as caught:
        mutated(mutant(**changes))
    assert "mutant m does not apply to f.c: " in str(caught.value)
    assert why in str(caught.value)


def test_edits_may_share_a_place_and_lie_in_each_other() -> None:
    """Each keeps its own number; the sound text is in the middle."""
    wide = schemata.locate(SOURCE, "first", "file && flags")
    narrow = schemata.locate(SOURCE, "first", "file && «flags»)")
    text = schemata.compose(
        SOURCE,
        [
            Edit(1, narrow, EXPRESSION, "1"),
            Edit(2, wide, EXPRESSION, "0"),
            Edit(3, wide, EXPRESSION, "1"),
        ],
    )
    inner = "file && (MUTANT(1) ? (1) : (flags))"
    assert f"if ((MUTANT(3) ? (1) : ((MUTANT(2) ? (0) : ({inner}))))" in text


def test_edits_that_cross_are_refused() -> None:
    """By their numbers."""
    left = schemata.locate(SOURCE, "first", "«if (file &&» flags)")
    right = schemata.locate(SOURCE, "first", "if (file «&& flags)»")
    with pytest.raises(NotApplicable, match="edits 1 and 2 overlap"):
        schemata.compose(SOURCE, [Edit(1, left, EXPRESSION, ""), Edit(2, right, EXPRESSION, "")])


def test_operators_find_conditions_errors_calls_and_assignments() -> None:
    """All that is there to be changed."""
    found = [(c.operator, SOURCE[slice(*c.span)]) for c in operators.changes(SOURCE, "first")]
    assert ("drop an operand", "flags") in found
    assert ("swap the error", "-EINVAL") in found
    assert ("drop the call", "forget(file);") in found
    assert sum(operator == "negate the condition" for operator, _ in found) == 2
    second = [c.operator for c in operators.changes(SOURCE, "second")]
    assert "drop the assignment" in second


def test_every_change_of_the_operators_can_be_composed() -> None:
    """With all others of its function."""
    for name in ("first", "second"):
        changes = operators.changes(SOURCE, name)
        edits = [operators.edit(change, number) for number, change in enumerate(changes, 1)]
        text = schemata.compose(SOURCE, edits)
        assert all(f"MUTANT({number})" in text for number in range(1, len(edits) + 1))


def test_catalogue_is_whole() -> None:
    """At least 60 entries, each of a rule, tests that are there, and a name of its own."""
    found = catalogue.load()
    tests = Path(__file__).parent.parent / "tests"
    assert len(found) >= 60
    assert all((tests / folder).is_dir() for entry in found for folder in entry.tests)
    assert all(entry.rule and entry.tests for entry in found)


def test_catalogue_names_what_an_entry_misses(tmp_path: Path) -> None:
    """By file, number and name."""
    (tmp_path / "a.toml").write_text('[[mutant]]\nname = "n"\nfind = "x"\nexpression = "y"\n')
    with pytest.raises(UserError, match=r"a\.toml: mutant 1 \(n\) misses \['c', 'file'"):
        catalogue.load(tmp_path)
