"""Rounds a second of the races against the same in C.

Run it from the top of the checkout: ``python -m benchmarks.races``. It needs a C compiler, two
CPUs that have nothing else to do, and a machine on which execs can be chained.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from helpers import descriptor, process, races, scenes, scenes_exec
from helpers.image import make_exec_chain
from helpers.race_driver import MakeObserver
from helpers.race_observers import GetInfo, Poll
from helpers.scenes import Scene

SAMPLES, SECONDS = 5, 1.0

RACES: dict[str, tuple[Scene, MakeObserver]] = {
    "reap": (scenes.reap_by_parent, GetInfo),
    "poll": (partial(scenes.end_and_reap), Poll),
    "exec": (partial(scenes_exec.execs_of_subthreads, leader_exits=False), GetInfo),
}


def sample_python(name: str) -> tuple[float, float]:
    """Rounds and attempts a second."""
    scene, observer = RACES[name]
    report = races.play(scene, observer).report
    process.end_all()
    descriptor.close_all()
    return report.rounds / report.seconds, report.attempts / report.seconds


def sample_c(program: Path, name: str, image: int) -> tuple[float, float]:
    """Rounds and attempts a second."""
    command = [str(program), name, str(SECONDS), str(image)]
    rounds, attempts, _ = map(float, subprocess.check_output(command, pass_fds=[image]).split())
    return rounds, attempts


def main() -> int:
    """Print the medians, taken side by side."""
    image = make_exec_chain(leader_exits=False)
    if image is None:
        sys.stderr.write("no static image for this machine, nothing to compare\n")
        return 1
    image.keep()
    races.set_dose(SECONDS, 1)
    with tempfile.TemporaryDirectory() as directory:
        program = Path(directory) / "race"
        source = Path(__file__).with_name("race.c")
        subprocess.check_call(["cc", "-O2", "-pthread", "-o", str(program), str(source)])
        for name in RACES:
            pairs = [
                (sample_c(program, name, image.fileno()), sample_python(name))
                for _ in range(SAMPLES)
            ]
            c, here = ([statistics.median(column) for column in zip(*side)] for side in zip(*pairs))
            sys.stdout.write(
                f"{name}: rounds a second C {c[0]:.0f}, here {here[0]:.0f}; "
                f"attempts a second C {c[1]:.0f}, here {here[1]:.0f}\n"
            )
    process.stop_zygote()
    return 0


if __name__ == "__main__":
    sys.exit(main())
