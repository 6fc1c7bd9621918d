"""How the run of a virtual machine ends, by machines that are not: they die, hang, or warn."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.deadline import wait_until
from helpers.kmsg import MARK, OVER, is_report
from selftests.runner import ROOT
from vmtest import console, results, root
from vmtest.guestrun import GuestRun, Settings
from vmtest.images import Kernel
from vmtest.results import KernelResult

FAKE = """
import json, os, sys, time
ports = [word.partition(":")[2] for word in sys.argv if word.startswith("file:")]
def tell(**record):
    with open(ports[0], "a") as file:
        file.write(json.dumps(record) + "\\n")
def say(text):
    sys.stdout.write(text + "\\r\\n"); sys.stdout.flush()
def test(name, outcome="passed", log=""):
    say("[    2.000000] pidfd-tests: running " + name)
    tell(start=name)
    if log:
        say(log)
    tell(test=name, outcome=outcome, why="", seconds=0.1, text="")
    say("[    2.100000] pidfd-tests: over " + name)
def print_(text):
    with open(ports[1], "a") as file:
        file.write(text)
def boot():
    say("[    0.000000] Linux version 6.12.1-test")
    tell(booted="6.12.1-test", uptime=1.5)
    tell(collected=2)
"""

Outcome = Callable[[str], KernelResult]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """Run a machine that does what a piece of Python says."""
    monkeypatch.setattr(root, "pack", lambda *_: None)

    def play(script: str) -> KernelResult:
        path = tmp_path / "fake.py"
        path.write_text(FAKE + textwrap.dedent(script))
        kernel = Kernel(tmp_path / "vmlinuz", "6.12.1-test", "6.12", "fake")
        settings = Settings(kvm=False, boot_timeout=2, silence=1, keep=tmp_path / "results")
        guest = GuestRun(kernel, [sys.executable, "-S", str(path)], settings)
        try:
            while guest.step():
                time.sleep(0.01)
        finally:
            guest.close()
        assert results.read(tmp_path / "results/6.12.json") == guest.result
        return guest.result

    return play


def test_code_of_pytest_comes_through(fake: Outcome) -> None:
    """With every test and the time of the boot."""
    result = fake("boot(); test('tests/a/test_a.py::one'); tell(exit=5)")
    assert (result.end, result.exit_code, result.boot_seconds) == (results.FINISHED, 5, 1.5)
    assert [test.outcome for test in result.tests] == ["passed"]


def test_pytest_that_runs_nothing_tells_why(fake: Outcome) -> None:
    """Its last words are kept where its code says that it did not come to the tests' end."""
    words = "ERROR: unrecognized arguments: --no-such\\n  inifile: None\\n"
    result = fake(f"boot(); print_('{words}'); tell(exit=4)")
    assert result.tail == ["ERROR: unrecognized arguments: --no-such", "  inifile: None"]
    assert fake(f"boot(); print_('{words}'); tell(exit=1)").tail == []


@pytest.mark.parametrize(
    ("script", "end"),
    [
        ("say('[ 1.0] no root')", results.NO_BOOT),
        ("time.sleep(60)", results.NO_BOOT),
        ("boot(); test('t'); tell(start='u'); say('[9.0] Kernel panic - not syncing: x')",
         results.PANIC),
        ("boot(); tell(start='u'); say('Kernel panic - not syncing: '"
         "'System is deadlocked on memory')",
         results.OUT_OF_MEMORY),
        ("boot(); tell(start='u'); say('Out of memory: Killed process 7 (python)'); tell(exit=-9)",
         results.OUT_OF_MEMORY),
        ("boot(); tell(start='u'); time.sleep(60)", results.HUNG),
        ("boot(); tell(start='u'); sys.exit(0)", results.DIED),
        ("boot(); tell(start='u'); sys.exit(1)", results.LOST),
        ("sys.exit('no such device')", results.LOST),
    ],
    ids=["boot dies", "boot hangs", "panic", "deadlock", "oom kill", "hang", "restart", "qemu dies",
         "qemu refuses"],
)  # fmt: skip
def test_every_bad_end_is_that_kernels_result(script: str, end: str, fake: Outcome) -> None:
    """It is named, the test that ran fails, and the last lines of the console are kept."""
    result = fake(script)
    assert (result.end, result.exit_code) == (end, 1)
    running = [test for test in result.tests if test.name == "u"]
    assert [test.outcome for test in running] == (["failed"] if "start='u'" in script else [])
    if "say(" in script or "boot()" in script:
        assert result.tail


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("boot(); os.kill(os.getpid(), 9)", "qemu was killed by signal 9"),
        ("sys.exit('no such device')", "qemu ended with 1: no such device"),
    ],
)
def test_end_of_qemu_is_not_the_kernels(script: str, told: str, fake: Outcome) -> None:
    """Its status tells them apart, and what it said itself stands last."""
    assert fake(script).tail[-1] == told


def test_boot_that_says_nothing_has_the_words_of_qemu(fake: Outcome) -> None:
    """They may be the reason."""
    result = fake(
        "sys.stderr.write('qemu: no such feature\\n'); sys.stderr.flush(); time.sleep(60)"
    )
    assert (result.end, result.tail) == (results.NO_BOOT, ["qemu: no such feature"])


def test_machine_that_ends_badly_after_the_last_test_has_finished(fake: Outcome) -> None:
    """All that was to be known is known."""
    assert fake("boot(); test('a'); tell(exit=0); sys.exit(1)").end == results.FINISHED


def test_report_of_the_kernel_fails_the_test_that_ran(fake: Outcome) -> None:
    """A warning makes a failure of a test that passed, and of a run that had code 0."""
    result = fake("boot(); test('a'); test('b', log='[3.0] WARNING: CPU: 0 at x'); tell(exit=0)")
    assert [(test.name, test.outcome) for test in result.tests] == [
        ("a", "passed"),
        ("b", "failed"),
    ]
    assert result.tests[1].why == "the kernel reported: WARNING: CPU: 0 at x"
    assert result.exit_code == 1


def test_boot_that_the_emulation_spoilt_is_done_once_more(fake: Outcome) -> None:
    """Once, and the result says so."""
    result = fake("say('[ 0.1] Oops: int3: 0000 [#1] SMP')")
    assert (result.end, result.boots) == (results.NO_BOOT, 2)


def test_report_while_two_tests_run_fails_both() -> None:
    """As workers of pytest-xdist run them; one that comes between tests is the last one's."""
    warning = "WARNING: CPU: 0 at x"
    lines = [f"{MARK}a", f"{MARK}b", warning, f"{OVER}b", warning, f"{OVER}a", warning]
    told = [report.test for report in console.reports(lines)]
    assert told == ["a", "b", "a", "b"]


def test_test_in_which_pytest_dies_has_failed(fake: Outcome) -> None:
    """Though the kernel goes on and the machine ends as it should."""
    result = fake("boot(); tell(start='u'); tell(exit=-11)")
    assert (result.end, result.exit_code) == (results.FINISHED, 1)
    assert [(test.name, test.why) for test in result.tests] == [
        ("u", "pytest ended with -11 in this test")
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("BUG: KASAN: slab-use-after-free in pidfd_poll", True),
        ("INFO: task python:12 blocked for more than 120 seconds.", True),
        ("WARNING: possible circular locking dependency detected", True),
        ("watchdog: BUG: soft lockup - CPU#0 stuck for 22s!", True),
        ("rcu: INFO: rcu_preempt self-detected stall on CPU", True),
        ("Oops: general protection fault, probably for non-canonical address", True),
        ("BUG kmalloc-64 (Not tainted): Right Redzone overwritten", True),
        ("INFO: task x:1 blocked in I/O wait for more than 120 seconds.", True),
        ("watchdog: Watchdog detected hard LOCKUP on cpu 1", True),
        (f"{MARK}tests/a.py::test_BUG: ", False),
        (f"{OVER}tests/a.py::test_BUG: ", False),
        ("Debug: nothing to see", False),
        ("systemd[1]: started", False),
    ],
)
def test_reports_are_told_from_chatter(line: str, expected: bool) -> None:
    """By what the kernel prints."""
    assert is_report(line) is expected


def test_report_keeps_what_follows_it_up_to_the_next_test() -> None:
    """What comes before the first test is the boot's."""
    text = "\r\n".join(
        ["[ 0.1] WARNING: early", "[ 1.0] call trace", f"[ 2.0][    T7] {MARK}a",
         "[ 2.1] quiet", f"[ 2.2] {OVER}a", f"[ 3.0] {MARK}b", "[ 3.1] BUG: bad", "[ 3.2] trace",
         f"[ 3.3] {OVER}b", f"[ 4.0] {MARK}c",
         "[ 4.1] x"]
    )  # fmt: skip
    found = console.reports(console.lines(text))
    assert [(report.test, report.lines) for report in found] == [
        (console.BOOT, ["WARNING: early", "call trace"]),
        ("b", ["BUG: bad", "trace"]),
    ]


@pytest.mark.parametrize(("flags", "blamed"), [("00000246", False), ("bb042693", True)])
def test_emulator_is_told_from_the_kernel(flags: str, blamed: bool) -> None:
    """By flags in an oops that no processor can have, as TCG once made them."""
    registers = f"RSP: 0018:ffffcfe900f274c0 EFLAGS: {flags}"
    console_text = [f"{MARK}a", "BUG: kernel NULL pointer dereference, address: 3d", registers]
    first = console.reports(console_text)[0].lines[0]
    assert (first == f"not the kernel but the emulator has failed: {registers}") == blamed


def alive(pid: int) -> bool:
    """Whether a process runs: a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_the_runner(number: signal.Signals, tmp_path: Path) -> None:
    """However it is ended, its machine ends with it."""
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(f"""
        import sys, pathlib
        sys.path.insert(0, {str(ROOT)!r})
        from vmtest import __main__ as main, machine, root, images
        root.pack = lambda *_: None
        machine.find_qemu = lambda: "qemu"
        machine.find_virtme = lambda: "virtme"
        machine.kvm_works = lambda *_: False
        code = "import os, time; open({str(tmp_path / "pid")!r}, 'w').write(str(os.getpid()));"
        code += "time.sleep(60)"
        machine.compose = lambda *_, **__: [sys.executable, "-c", code]
        kernel = images.Kernel(pathlib.Path("x"), "6.12", "6.12", "x")
        images.resolve = lambda *_, **__: kernel
        sys.exit(main.main(["x", "--results", {str(tmp_path)!r}]))
        """)
    )
    runner = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL)
    pid_file = tmp_path / "pid"
    wait_until(lambda: pid_file.exists() and bool(pid_file.read_text()), "the machine runs")
    pid = int(pid_file.read_text())
    assert alive(pid)
    os.kill(runner.pid, number)
    runner.wait(10)
    wait_until(lambda: not alive(pid), "the machine ends")
    assert runner.returncode == {2: 130, 15: 143, 9: -9}[number]


def test_results_survive_the_way_to_the_disk(tmp_path: Path) -> None:
    """JSON, whole."""
    result = KernelResult("6.12", "x@trixie", "6.12.1", "tcg", end=results.FINISHED, code=0)
    for record in (
        {"feature": "pidfd_open(2)", "since": "v5.3", "found": "present"},
        {"error": "tests/x.py", "text": "SyntaxError"},
    ):
        result.take(json.loads(json.dumps(record)))
    result.write(tmp_path / "x.json")
    assert results.read(tmp_path / "x.json") == result
