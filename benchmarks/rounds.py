"""Time one round of "spawn, thread, exec in the thread, kill, reap" against the same in C.

Run it from the top of the checkout: ``python -m benchmarks.rounds``. It needs a C compiler.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from helpers import descriptor, journal, process
from helpers.descriptor import Descriptor
from helpers.image import make_echo

SAMPLES, ROUNDS = 7, 200


def python_round() -> None:
    """One round by the suite's own means, and what it does between two tests."""
    child = process.spawn()
    child.spawn_thread().exec()
    child.kill()
    child.reap()
    process.end_all()
    descriptor.close_all()
    journal.clear()
    process.zygote().order_ahead()


def sample_python() -> float:
    """Milliseconds a round."""
    start = time.perf_counter()
    for _ in range(ROUNDS):
        python_round()
    return (time.perf_counter() - start) / ROUNDS * 1e3


def sample_c(program: Path, image: Descriptor) -> float:
    """Milliseconds a round."""
    path = f"/proc/self/fd/{image.fileno()}"
    command = [str(program), path, str(ROUNDS)]
    return float(subprocess.check_output(command, pass_fds=[image.fileno()]))


def main() -> int:
    """Print the medians, taken side by side."""
    image = make_echo()
    if isinstance(image, str):
        sys.stderr.write("no static image for this machine, nothing to compare\n")
        return 1
    image.keep()
    with tempfile.TemporaryDirectory() as directory:
        program = Path(directory) / "round"
        source = Path(__file__).with_name("round.c")
        subprocess.check_call(["cc", "-O2", "-pthread", "-o", str(program), str(source)])
        python_round()
        pairs = [(sample_c(program, image), sample_python()) for _ in range(SAMPLES)]
    process.stop_zygote()
    c, python = (statistics.median(column) for column in zip(*pairs))
    sys.stdout.write(
        f"medians of {SAMPLES} samples of {ROUNDS} rounds: C {c:.2f} ms, here {python:.2f} ms, "
        f"{python / c:.1f} times\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
