"""A run that is killed at any moment changes nothing outside: mounts, cgroups, sysctls, files.

Each folder of tests/ is run, and killed in the middle of one of its tests; races, which make tasks
in every way that is quick, are killed by themselves as well. ``PIDFD_TESTS_KILLS`` says how often
(once), ``PIDFD_TESTS_SEED`` makes a failure's moments again.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import pytest

from helpers import cgroup
from helpers.cgroup import Cgroup
from helpers.deadline import wait_until
from selftests.runner import ROOT

SEED = os.environ.get("PIDFD_TESTS_SEED") or os.urandom(4).hex()
KILLS = int(os.environ.get("PIDFD_TESTS_KILLS", "1"))
FOLDERS = sorted({path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")})
RACES = (
    "test_get_info.py::test_a_process_whose_subthreads_exec_has_not_ended[leader exits]",
    "test_get_info.py::test_a_process_whose_subthreads_exec_has_not_ended[leader pauses]",
    "test_namespaces.py::test_namespaces_of_a_process_that_ends_are_entered_all_or_none",
    "test_open.py::test_a_number_opens_its_process_or_none[reaped by the kernel]",
    "test_poll.py::test_a_leader_that_exits_first_is_silent[poll-process pidfd]",
    "test_send_signal.py::test_a_signal_never_reaches_the_process_that_has_the_pid_next",
    "test_setuid.py::test_a_process_that_becomes_root_lets_nobody_look_any_more[files]",
    "test_sleepers.py::test_all_who_sleep_are_woken[reaped by its parent-for HUP]",
)

# Read-only by nature, changed by everybody's processes or by the kernel itself, or with an effect
# when they are read.
_NOT_READ = {
    "net", "random", "ns_last_pid", "stat_refresh", "drop_caches", "compact_memory",
    "perf_event_max_sample_rate",  # lowered where interrupts take long
    "hung_task_warnings", "hung_task_detect_count",  # of any process
}  # fmt: skip


def sysctls() -> dict[str, bytes]:
    """Every setting of the kernel that can be written, but for those of networks."""
    found = {}
    for directory, names, files in os.walk("/proc/sys"):
        names[:] = [name for name in names if name not in _NOT_READ]
        for name in files:
            path = f"{directory}/{name}"
            try:
                if name not in _NOT_READ and os.stat(path).st_mode & 0o200:
                    with open(path, "rb") as file:
                        found[path] = file.read()
            except OSError:  # some can only be written
                pass
    return found


def outside(directory: Path) -> dict[str, object]:
    """What a run might change: all of it but processes, which its cgroup tells of."""
    return {
        "mounts": Path("/proc/self/mountinfo").read_text().splitlines(),
        "sysctls": sysctls(),
        "shared memory": sorted(os.listdir("/dev/shm")),
        # pytest keeps the directories of its last three runs, whatever becomes of them.
        "temporary files": [n for n in os.listdir(directory) if not n.startswith("pytest-of-")],
    }


@pytest.fixture
def cage() -> Iterator[Cgroup]:
    """A cgroup that no process of a run can leave."""
    try:
        made = cgroup.make()
    except OSError as error:
        pytest.skip(f"no cgroup can be made: {error}")
    with made:
        yield made


def start(tests: list[str], cage: Cgroup, directory: Path, fifo: Path) -> subprocess.Popen[bytes]:
    """Run some tests, with temporary files of their own."""
    enter = f'echo $$ >"{cage.path}/cgroup.procs" && exec "$@"'
    words = ["sh", "-c", enter, "sh", sys.executable, "-m", "pytest", "-p", "no:cacheprovider",
             "-p", "vmtest.guest.reporter", *tests]  # fmt: skip
    environment = {**os.environ, "VMTEST_RESULTS": str(fifo), "TMPDIR": str(directory)}
    output = subprocess.DEVNULL
    return subprocess.Popen(
        words, cwd=ROOT, env=environment, stdin=output, stdout=output, stderr=output
    )


def await_test(news: TextIO, moment: random.Random, least: float) -> str:
    """Wait for the beginning of a test chosen at random, and for `least` seconds of it or more."""
    left = 0
    for line in news:
        record = json.loads(line)
        left = moment.randrange(record["collected"]) if "collected" in record else left
        if "start" in record:
            if left == 0:
                # Not to wait for anything: to miss it.
                time.sleep(least + moment.random() * 0.01)
                return str(record["start"])
            left -= 1
    raise AssertionError("the run ended before it was killed")


def is_empty(cage: Cgroup) -> bool:
    """Whether no process is left, nor a cgroup below."""
    directory = Path(cage.path)
    return "populated 0" in (directory / "cgroup.events").read_text() and not [
        entry for entry in directory.iterdir() if entry.is_dir()
    ]


@pytest.fixture
def kill(cage: Cgroup, tmp_path: Path) -> Callable[..., None]:
    """Kill a run of some tests in the middle of one, and see that nothing is left."""

    def kill(*tests: str, moment: random.Random, least: float = 0.0) -> None:
        temporary, fifo = tmp_path / "temporary", tmp_path / "news"
        temporary.mkdir()
        os.mkfifo(fifo)
        before = outside(temporary)
        run = start(list(tests), cage, temporary, fifo)
        with run, open(fifo, encoding="utf-8") as news:
            test = await_test(news, moment, least)
            run.kill()
        wait_until(
            lambda: is_empty(cage),
            f"the end of all after a kill in {test} (PIDFD_TESTS_SEED={SEED})",
            state=lambda: str(os.listdir(cage.path)),
            seconds=10,
        )
        after = outside(temporary)
        for what, value in before.items():
            assert after[what] == value, f"{what}, by a kill in {test} (PIDFD_TESTS_SEED={SEED})"

    return kill


@pytest.mark.parametrize("number", range(KILLS))
@pytest.mark.parametrize("folder", FOLDERS)
def test_killed_run_leaves_nothing_outside(
    folder: str, number: int, kill: Callable[..., None]
) -> None:
    """No process, cgroup, mount, file or changed setting."""
    kill(f"tests/{folder}", moment=random.Random(f"{SEED}-{folder}-{number}"))


@pytest.mark.parametrize("number", range(KILLS))
@pytest.mark.parametrize("race", RACES)
def test_killed_race_leaves_nothing_outside(
    race: str, number: int, kill: Callable[..., None]
) -> None:
    """Its tasks know nothing of pytest, and there are some at every moment."""
    moment = random.Random(f"{SEED}-{race}-{number}")
    kill(f"tests/races/{race}", "--race-time=60", moment=moment, least=0.3)
