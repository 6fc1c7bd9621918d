"""What a comparison of records, and the end of a run, say of failures."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from helpers import differences
from helpers.info import Exited, Ids, Killed, PidfdInfo
from helpers.uapi import InfoMask, PollEvent, StatusFlag
from selftests.runner import Project

ALIVE = PidfdInfo(InfoMask.PID, pid=7, tgid=7, ppid=1)
DEAD = PidfdInfo(InfoMask.PID | InfoMask.EXIT, pid=7, tgid=7, ppid=1, exit=Exited(3))


@pytest.mark.parametrize(
    ("found", "due", "told"),
    [
        (Killed(9), Exited(0), ["Killed(SIGKILL) == Exited(0)"]),
        (
            DEAD,
            ALIVE,
            [
                "PidfdInfo: mask is PID|EXIT, PID was due",
                "         : exit is Exited(3), not told was due",
            ],
        ),
        (
            (PollEvent.IN, DEAD),
            (PollEvent.IN, ALIVE._replace(mask=DEAD.mask)),
            ["PidfdInfo: exit is Exited(3), not told was due"],
        ),
        ((1, Exited(0)), (2, Exited(0)), ["1 == 2"]),
        (
            [Exited(1), DEAD],
            [Exited(1), ALIVE._replace(mask=DEAD.mask)],
            ["PidfdInfo: exit is Exited(3), not told was due"],
        ),
        ((1, Exited(0)), None, ["(1, Exited(0)) == None"]),
        (Ids(1, 1, 1, 1), Ids(1, 2, 3, 4), ["1 == real 1/effective 2/saved 3/filesystem 4"]),
        (StatusFlag.RDWR, 0o4002, ["RDWR == RDWR|NONBLOCK"]),
        (
            b"\0" * 12,
            b"\0" * 4 + b"\xaa" * 3 + b"\0" * 5,
            ["bytes 4 to 6 of 12 are 00 00 00, aa aa aa was due"],
        ),
        (b"\1" * 12, bytes(12), [f"bytes 0 to 11 of 12 are {'01 ' * 7}01, {'00 ' * 7}00 was due"]),
        ([1], [2], None),
    ],
)
def test_difference_of_records(found: object, due: object, told: list[str] | None) -> None:
    """The fields that differ, and nothing of the others."""
    assert differences.explain(found, due) == told


def test_failures_with_one_cause_are_told_together(project: Callable[[str], Project]) -> None:
    """With whole lines, the commonest first, whatever numbers are in them."""
    made = project(
        """
        @pytest.mark.parametrize("number", [10, 20])
        def test_many(number):
            assert not number, f"the kernel says {number} " + "of a task " * 9

        def test_one():
            assert info.Killed(9) == info.Exited(0)

        def test_sound():
            pass
        """
    )
    told = made.run().out.partition("= findings =")[2].splitlines()[1:5]
    assert [line.strip() for line in told] == [
        "the kernel says 10 " + "of a task " * 8 + "of a task",
        "2 tests, the first: tests/test_scratch.py::test_many[10]",
        "assert Killed(SIGKILL) == Exited(0)",
        "tests/test_scratch.py::test_one",
    ]
