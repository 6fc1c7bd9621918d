"""The search in tests/model finds faults of the kernel by itself, and shows them in few steps."""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

import pytest

from helpers.model import options
from selftests.runner import ROOT, Run

FAULTS = [
    "premature_notification",
    "notification_of_the_living",
    "hangup_of_the_living",
    "lost_notification",
    "hangup_before_the_reap",
    "no_hangup",
    "no_input_after_the_reap",
    "notification_by_a_stop",
    "exit_information_before_the_reap",
    "no_exit_information_after_the_reap",
    "exit_information_used_up_by_asking",
    "exit_code_is_zero",
    "exit_status_of_seven_bits",
    "exit_status_where_the_signal_is",
    "clean_exit_told_as_a_kill",
    "core_bit_without_a_dump",
    "identity_after_the_reap",
    "reaped_task_answers",
    "no_cgroup",
    "wrong_cgroup",
    "no_cgroup_after_the_reap",
    "pid_of_another",
    "pid_of_the_process",
    "tgid_of_another",
    "tgid_of_the_thread",
    "no_parent",
    "no_credentials",
]
"""What the catalogue has on polls and on identity and exit information, but for what comes late or
at times only, needs a core dump, tasks of several users or other askers."""

MOST_STEPS = 6
PATIENCE = 300  # seconds for a run, on a machine that does much else
NAME = "test_every_pidfd_answers_as_specified_whatever_tasks_do"
QUIET = ("-q", "-p", "no:cacheprovider")

pytestmark = pytest.mark.timeout(3 * PATIENCE + 60)  # a test has three runs at most


def run_pytest(*words: str) -> Run:
    """Run the project's own pytest in a process of its own."""
    command = [sys.executable, "-m", "pytest", *QUIET, *words]
    return Run.of(command, cwd=ROOT, timeout=PATIENCE)


def search_among(fault: str) -> Run:
    """Run the search on a kernel with this fault; skips the test where it does not run."""
    pytest.importorskip("hypothesis", reason="it is an extra")
    # As many steps as a plain run takes where it has the time for them.
    what = ("tests/model", "-k", NAME, f"--model-steps={options.DEFAULT_STEPS}")
    run = run_pytest("-p", "selftests.faults.plugin", f"--fault={fault}", *what)
    if " skipped" in run.out and not run.code:
        pytest.skip("this kernel lacks what the model is about")
    return run


def pasted(run: Run) -> str:
    """The test that the failure shows."""
    lines = re.findall(r"^E   ?(.*)$", run.out, re.MULTILINE)
    start = next(number for number, line in enumerate(lines) if "import ThreadGroups" in line)
    return textwrap.dedent("\n".join(lines[start:])) + "\n"


@pytest.mark.parametrize("fault", FAULTS)
def test_search_finds_every_fault_in_polls_and_exit_information(fault: str) -> None:
    """Within the steps of a plain run, and shows a sequence of a few."""
    run = search_among(fault)
    assert run.code == 1, run.out + run.err
    steps = re.findall(r"^ +(?:\w+ = )?state\.\w+\(.*$", pasted(run), re.MULTILINE)
    print("\n".join(steps))  # noqa: T201
    assert 0 < len(steps) <= MOST_STEPS


def test_printed_sequence_is_a_test(tmp_path: Path) -> None:
    """It fails on the faulty kernel in the same way, and passes on the sound one."""
    fault = "no_hangup"
    run = search_among(fault)
    file = tmp_path / "test_pasted.py"
    file.write_text(pasted(run))
    where = (
        "-c",
        str(ROOT / "pyproject.toml"),
        "--rootdir",
        str(ROOT),
        "-p",
        "conftest",
        str(file),
    )
    sound = run_pytest(*where)
    assert sound.counts == {"passed": 1}, sound.out + sound.err
    faulty = run_pytest("-p", "selftests.faults.plugin", f"--fault={fault}", *where)
    assert faulty.counts == {"failed": 1}, faulty.out + faulty.err
    assert "the kernel says IN\n" in faulty.out


WITHOUT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "hypothesis":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import pytest
sys.exit(pytest.main())
"""


def test_without_hypothesis_the_model_is_skipped_and_says_why() -> None:
    """The core of the suite needs three packages."""
    words = (*QUIET, "-p", "no:hypothesispytest", "-rs", "tests/model")
    run = Run.of([sys.executable, "-c", WITHOUT, *words], cwd=ROOT, timeout=PATIENCE)
    assert run.counts == {"skipped": 2}, run.out + run.err
    assert "pip install hypothesis" in run.out or "kernel lacks" in run.out
