"""What the kernel says, against what the specification says."""

from __future__ import annotations

import errno

from helpers.expect import moved
from helpers.model import answers
from helpers.model.answers import PEEK, Answers, Refusal, attempt
from helpers.model.spec import Kernel
from helpers.model.tasks import Pidfd, State
from helpers.pidfd import Pidfd as RealPidfd
from helpers.uapi import InfoMask

_MOVED = {
    errno.ENOENT: moved(errno.ENOENT, old=errno.EINVAL, since=(6, 16)),
    errno.EREMOTE: moved(errno.EREMOTE, old=errno.ESRCH, since=(7, 0)),
}


class Disagreement(AssertionError):
    """The kernel and the specification differ."""


def same(found: object, due: object) -> bool:
    """Whether they agree; older kernels may refuse with an errno that was corrected since."""
    if isinstance(due, Refusal) and isinstance(found, Refusal):
        return found.errno in _MOVED.get(due.errno, (due.errno,))
    return found == due


def specified(spec: Kernel, pidfd: Pidfd) -> Answers:
    """What the test is due to be told of `pidfd`."""
    return Answers(
        spec.poll(pidfd),
        attempt(spec.info, pidfd, InfoMask.NONE, spec.test),
        attempt(spec.info, pidfd, InfoMask.EXIT, spec.test),
        attempt(spec.wait, spec.test, pidfd.pid, PEEK),
        spec.shown(pidfd),
    )


def check(spec: Kernel, pidfds: dict[Pidfd, RealPidfd]) -> None:
    """Ask the kernel of every pidfd; raises `Disagreement` with all that differs."""
    lines = []
    for pidfd, found in zip(pidfds, answers.ask([*pidfds.values()])):
        due = specified(spec, pidfd)
        lines += [
            f"{name} of {_describe(pidfd)}:\n    the kernel says {said!r}\n    due is {wanted!r}"
            for name, said, wanted in zip(Answers._fields, found, due)
            if not same(said, wanted)
        ]
    if lines:
        raise Disagreement("\n".join(lines))


def _describe(pidfd: Pidfd) -> str:
    """Which task bears the pid now, and how it does."""
    scope = "thread-scoped" if pidfd.thread else "process-scoped"
    task = pidfd.pid.task
    if task is None:
        return f"{pidfd!r} ({scope}, of a task that was reaped)"
    rest = ""
    if task.state is State.ZOMBIE and task.group.living:
        rest = f", {len(task.group.living)} of its threads go on"
    return f"{pidfd!r} ({scope}, of {task!r}, which is {task.state.value}{rest})"
