"""The edits that make mutants, the mechanical ones, and how verdicts are kept and told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mutants import build, catalogue, csource, guest, operators, page, schemata, tree
from mutants.campaign import (
    KILLED,
    SURVIVED,
    Batch,
    Plan,
    Store,
    Verdict,
    c_failures,
    judge,
    stages,
)
from mutants.catalogue import Mutant
from mutants.csource import NotApplicable
from mutants.page import Row
from mutants.schemata import EXPRESSION, STATEMENT, Edit
from vmtest import results
from vmtest.errors import UserError
from vmtest.results import Case, KernelResult

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


def test_overlay_leaves_the_source_alone(tmp_path: Path) -> None:
    """It links what is as it was, and takes an edit back when it is not asked for any more."""
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "fs/deep").mkdir(parents=True)
    (source / "fs/a.c").write_text("a\n")
    (source / "fs/deep/b.c").write_text("b\n")
    tree.overlay(source, target, {"fs/a.c": "changed\n", "fs/new.h": "new\n"})
    assert (target / "fs/a.c").read_text() == "changed\n"
    assert (target / "fs/deep").is_symlink()
    assert (source / "fs/a.c").read_text() == "a\n"
    tree.overlay(source, target, {"fs/deep/b.c": "other\n"})
    assert (target / "fs/a.c").read_text() == "a\n"
    assert not (target / "fs/new.h").exists()
    assert sorted(path.name for path in (source / "fs").iterdir()) == ["a.c", "deep"]
    assert (source / "fs/deep/b.c").read_text() == "b\n"


def test_tree_that_is_none_is_refused(tmp_path: Path) -> None:
    """In one line."""
    with pytest.raises(UserError, match="has no Makefile"):
        tree.find(str(tmp_path))


def test_errors_of_the_compiler_are_found() -> None:
    """By file and line of the source."""
    log = "/w/tree/fs/pidfs.c:12:3: error: no\nmake: *** [x] Error 1\n"
    assert build.errors(log, Path("/w/tree")) == [("fs/pidfs.c", 12, "no")]


def test_verdict_is_kept_until_the_edit_changes(tmp_path: Path) -> None:
    """So that an interrupted run goes on where it was."""
    store = Store(tmp_path)
    store.put(Verdict("poll: negate 1", "key", ours=SURVIVED, failed=["t"]))
    assert store.get("poll: negate 1", "key") == Verdict(
        "poll: negate 1", "key", ours=SURVIVED, failed=["t"]
    )
    assert store.get("poll: negate 1", "another") is None
    assert store.get("another", "key") is None
    store.path("poll: negate 1").write_text("{ half of it")
    assert store.get("poll: negate 1", "key") is None


def run(*tests: Case, end: str = results.FINISHED, **more: object) -> KernelResult:
    """What a machine gave."""
    found = KernelResult("m", "o", "7.3.4", "tcg", end=end, boot_seconds=2.0)
    found.tests = list(tests)
    found.more = [dict(record) for record in more.get("more", [])]  # type: ignore[attr-defined]
    found.tail = ["Kernel panic - not syncing: x"]
    return found


GOOD, BAD = Case("tests/a/t.py::good", "passed"), Case("tests/a/t.py::bad", "failed", "why")


@pytest.mark.parametrize(
    ("result", "sound", "ours"),
    [
        (run(GOOD, BAD), None, KILLED),
        (run(GOOD), None, SURVIVED),
        (run(GOOD, BAD), Verdict("sound", "", failed=[BAD.name]), SURVIVED),
        (run(GOOD, end=results.PANIC), None, KILLED),
        (run(GOOD, end=results.HUNG), None, KILLED),
    ],
    ids=["fails", "passes", "fails-when-sound", "panics", "hangs"],
)
def test_what_kills_a_mutant(result: KernelResult, sound: Verdict | None, ours: str) -> None:
    """A test that fails with it and not without it, or the end of the machine."""
    assert judge(Plan(mutant(), 7, "key", c=False), result, sound).ours == ours


def test_c_suite_that_dies_is_not_put_on_the_tests() -> None:
    """They had ended by then."""
    result = run(GOOD, end=results.PANIC, more=[{"begins": "pidfd_wait"}])
    plan = Plan(mutant(c=("pidfd_wait",)), 7, "key", c=True)
    verdict = judge(plan, result, None)
    assert (verdict.ours, verdict.c) == (SURVIVED, KILLED)
    assert verdict.c_failed == ["pidfd_wait: the kernel panicked"]


@pytest.mark.parametrize(
    ("now", "failed"),
    [
        ({"code": 0, "points": {"a": "ok", "b": "not ok"}}, []),
        ({"code": 1, "points": {"a": "not ok", "b": "not ok"}}, ["p: a"]),
        ({"code": None, "points": {}}, ["p: no end"]),
        ({"code": None, "points": {"a": "not ok"}}, ["p: a"]),
        ({"code": -11, "points": {"a": "ok"}}, ["p: ends with -11"]),
    ],
    ids=["as-before", "worse", "no-end", "worse-without-end", "killed"],
)
def test_c_suite_is_held_against_its_own_run_on_the_sound_kernel(
    now: dict[str, object], failed: list[str]
) -> None:
    """What fails there as well says nothing."""
    sound = {"program": "p", "code": 0, "points": {"a": "ok", "b": "not ok"}}
    assert c_failures([{"program": "p", **now}], [sound]) == failed


def test_tests_about_a_mutant_come_first() -> None:
    """And the others after them, not twice."""
    first, then = stages(mutant(tests=("poll",)), 8, everything=False)
    assert first[-1] == "tests/poll"
    assert then[-2:] == ["--ignore=tests/poll", "tests"]


def test_table_says_who_noticed_and_who_did_not() -> None:
    """With the first tests, and the end of the machine."""
    killed = Verdict("a", "k", ours=KILLED, end=results.FINISHED, failed=[BAD.name], c=SURVIVED)
    died = Verdict("b", "k", ours=KILLED, end=results.PANIC, failed=[BAD.name])
    lived = Verdict("c", "k", ours=SURVIVED, end=results.FINISHED, everything=True)
    rows = [Row(mutant(name=verdict.name, c=("p",)), verdict) for verdict in (killed, died, lived)]
    text = page.markdown(rows, version="7.3.4", date="d", command="c", coverage="", unbuilt=[])
    assert "| chosen mutants killed | 2 of 3 | 0 of 1 |" in text
    assert "| a | r | killed by t::bad | survived |" in text
    assert "| b | r | killed: the kernel panicked in t::bad | not run |" in text
    assert "| c | r | **survived** | not run |" in text
    assert json.loads(json.dumps(page.said(lived))) == "**survived**"


def test_mutants_of_one_machine_are_told_apart() -> None:
    """Each gets its own tests; the one that was running when the machine died goes alone."""
    told: list[tuple[str, list[str], str]] = []
    plans = [Plan(mutant(name=name), 1, "key", c=False) for name in "abc"]
    batch = Batch(
        plans, lambda p, r: told.append((p.mutant.name, [t.name for t in r.tests], r.end))
    )
    passed = {"outcome": "passed", "why": "", "seconds": 0.1, "text": ""}
    for record in (
        {"booted": "7.3.4", "uptime": 2.0},
        {"mutant": "a"}, {"start": "x"}, {"test": "x", **passed}, {"done": "a"},
        {"mutant": "b"}, {"start": "y"},
    ):  # fmt: skip
        batch.listen(record)
    left = batch.died(run(end=results.PANIC))
    assert told == [("a", ["x"], results.FINISHED)]
    assert [plan.mutant.name for plan in left] == ["b", "c"]


def test_mutant_that_dies_alone_is_to_blame() -> None:
    """With the test that ran."""
    told: list[KernelResult] = []
    plan = Plan(mutant(), 1, "key", c=False)
    batch = Batch([plan], lambda _, result: told.append(result))
    for record in ({"booted": "7.3.4", "uptime": 2.0}, {"mutant": "m"}, {"start": "y"}):
        batch.listen(record)
    assert batch.died(run(end=results.HUNG)) == []
    assert told[0].end == results.HUNG
    verdict = judge(plan, told[0], None)
    assert page.said(verdict) == "killed: the kernel hung in y"


def test_points_of_the_c_suite_are_read() -> None:
    """Whatever the numbers in their names."""
    said = "TAP version 13\nok 1 one pid 17\n# not ok 2 two\nok 3 - three # SKIP no\nok4\n"
    assert guest.points(said) == {"one pid N": "ok", "two": "not ok", "three": "skip"}
