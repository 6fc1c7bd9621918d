"""Steps that the kernel and its specification take together, and must agree after.

`ThreadGroups` needs no Hypothesis: a sequence that was found is a test as it is printed.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from typing import Any, TypeVar

from helpers import agent, cgroup, process, procfs, reaping, syscalls
from helpers.info import Ids
from helpers.model import differences, orders, settling
from helpers.model.answers import attempt, told
from helpers.model.script import Taken, step
from helpers.model.settling import Settling
from helpers.model.spec import Kernel
from helpers.model.tasks import Group, Namespace, Pidfd, Report, Sigchld, Task
from helpers.pidfd import Pidfd as RealPidfd
from helpers.process import ThreadGroup
from helpers.thread import Thread
from helpers.uapi import P_PID, PR_SET_CHILD_SUBREAPER, CloneFlag, InfoMask, PidfdFlag

_Self = TypeVar("_Self", bound="ThreadGroups")

NOT_EXECUTABLE = "/"


class ThreadGroups:
    """Thread groups and pidfds, twice: in the kernel, and as the specification has them."""

    def __init__(self) -> None:
        """Begin with the test alone, which adopts the orphans among its descendants."""
        self.script: list[Taken] = []
        self._outside = Namespace(*procfs.ids(os.getpid()))
        self._inside = Namespace(*_ids_inside(self._outside))
        self.spec = Kernel(os.getpid(), self._outside, _own_cgroup())
        self._groups: dict[Group, ThreadGroup] = {}
        self._threads: dict[Task, Thread] = {}
        self.pidfds: dict[Pidfd, RealPidfd] = {}
        self._settling = Settling(self._outside)
        syscalls.prctl(PR_SET_CHILD_SUBREAPER, 1)

    # ---- processes and threads ----

    @step
    def spawn(self) -> Group:
        """The test makes a child."""
        return self._bear(process.spawn(), self.test.leader, self._outside)

    @step
    def spawn_namespace(self) -> Group:
        """The test makes a child that is the first process of a new pid namespace."""
        user = CloneFlag.NONE if os.geteuid() == 0 else CloneFlag.NEWUSER
        self._inside = Namespace(self._inside.uids, self._inside.gids)
        made = process.spawn(CloneFlag.NEWPID | user)
        return self._bear(made, self.test.leader, self._inside, new_ns=True)

    @step
    def fork(self, *, by: Task) -> Group:
        """A thread makes a child process."""
        return self._bear(self._threads[by].fork(), by, by.group.namespace)

    @step
    def make_thread(self, *, by: Task) -> Task:
        """A thread makes another one in its group."""
        real = self._groups[by.group].adopt_thread(self._threads[by], "subthread")
        numbers = self._numbers(by.group.namespace, self._groups[by.group].pid, real.tid)
        task = self.spec.make_thread(by, numbers)
        real.role = task.name
        self._threads[task] = real
        return task

    @step
    def exit(self, *, thread: Task, status: int) -> None:
        """A thread ends alone."""
        self._threads[thread].begin(syscalls.exit_thread, status)
        self.spec.exit(thread, status)

    @step
    def exit_group(self, *, by: Task, status: int) -> None:
        """A thread ends its whole group."""
        self._threads[by].begin(os._exit, status)
        self.spec.exit_group(by, status)

    @step
    def execute(self, *, by: Task) -> None:
        """A thread executes a small program, which takes no orders."""
        self._threads[by].exec()
        self.spec.execute(by)

    @step
    def fail_to_execute(self, *, by: Task) -> None:
        """A thread tries to execute what it cannot, which changes nothing."""
        found = attempt(self._threads[by].call, agent.exec_path, NOT_EXECUTABLE)
        self._agree(found, _refuse_to_execute, f"execve({NOT_EXECUTABLE})")

    @step
    def discard_children(self, *, by: Task, sigchld: Sigchld) -> None:
        """A thread leaves the reaping of its group's children to the kernel."""
        ignored = sigchld is Sigchld.IGNORED
        self._threads[by].call(reaping.ignore_sigchld if ignored else reaping.leave_no_zombies)
        by.group.sigchld = sigchld

    # ---- signals ----

    @step
    def kill(self, *, group: Group) -> None:
        """SIGKILL."""
        self._signal(signal.SIGKILL, group)

    @step
    def terminate(self, *, group: Group) -> None:
        """SIGTERM, whose default action ends the group."""
        self._signal(signal.SIGTERM, group)

    @step
    def stop(self, *, group: Group) -> None:
        """SIGSTOP."""
        self._signal(signal.SIGSTOP, group)

    @step
    def resume(self, *, group: Group) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT, group)

    @step
    def signal_by(self, *, pidfd: Pidfd, name: str) -> None:
        """A signal by ``pidfd_send_signal(2)``."""
        number = signal.Signals[name]
        found = attempt(self.pidfds[pidfd].send_signal, number)
        self._agree(found, lambda: self.spec.signal_by(pidfd, number), "pidfd_send_signal")

    # ---- waiting ----

    @step
    def reap(self, *, child: Group, by: Task) -> None:
        """``waitid(P_PID, WEXITED)`` by a thread that may be the parent's."""
        self._wait(child, by, os.WEXITED)

    @step
    def take_news(self, *, child: Group, by: Task) -> None:
        """``waitid(P_PID, WSTOPPED | WCONTINUED)``."""
        self._wait(child, by, os.WSTOPPED | os.WCONTINUED)

    @step
    def reap_by(self, *, pidfd: Pidfd, by: Task) -> None:
        """``waitid(P_PIDFD, WEXITED)``."""
        found = self._call(by, RealPidfd.waitid, self.pidfds[pidfd], os.WEXITED | os.WNOHANG)
        self._reaped(found, lambda: self.spec.wait(by.group, pidfd.pid, os.WEXITED), "P_PIDFD")

    # ---- pidfds ----

    @step
    def open(self, *, task: Task, thread: bool) -> Pidfd | None:
        """``pidfd_open(2)`` by the number that the task has, or had."""
        flags = PidfdFlag.THREAD if thread else PidfdFlag.NONE
        found = attempt(RealPidfd.open, task.pid.numbers[self._outside], flags, repr(task))
        return self._keep(found, lambda: self.spec.open(task, thread=thread), "pidfd_open")

    @step
    def duplicate(self, *, pidfd: Pidfd) -> Pidfd | None:
        """``dup(2)``."""
        found = self.pidfds[pidfd].dup()
        return self._keep(found, lambda: self.spec.duplicate(pidfd), "dup")

    @step
    def send_and_return(self, *, pidfd: Pidfd, to: Task) -> Pidfd | None:
        """Send a descriptor to another process by SCM_RIGHTS, which sends it back."""
        found = self._threads[to].call(orders.give_back, self.pidfds[pidfd])
        return self._keep(found, lambda: self.spec.duplicate(pidfd), "sendmsg and recvmsg")

    @step
    def ask_from(self, *, pidfd: Pidfd, by: Task) -> None:
        """Let another process, which may be in another pid namespace, ask PIDFD_GET_INFO."""
        found = attempt(self._threads[by].call, orders.info, self.pidfds[pidfd], InfoMask.EXIT)
        what = f"PIDFD_GET_INFO({pidfd}, EXIT) by {by}"
        self._agree(found, lambda: self.spec.info(pidfd, InfoMask.EXIT, by.group), what)

    @step
    def close(self, *, pidfd: Pidfd) -> None:
        """Close a descriptor."""
        self.pidfds.pop(pidfd).close()

    # ---- both sides ----

    @property
    def test(self) -> Group:
        """The process of the test, parent of all others in the end."""
        return self.spec.test

    def settle(self) -> None:
        """Wait until the tasks are as the specification has them, and compare the answers."""
        self._settling.settle(self.spec.groups)
        differences.check(self.spec, self.pidfds)

    def _bear(
        self, real: ThreadGroup, parent: Task, namespace: Namespace, *, new_ns: bool = False
    ) -> Group:
        numbers = self._numbers(namespace, real.pid, real.pid)
        group = self.spec.fork(parent, numbers, new_ns=new_ns)
        real.role = real.leader.role = group.name
        self._groups[group], self._threads[group.leader] = real, real.leader
        return group

    def _numbers(self, namespace: Namespace, pid: int, tid: int) -> dict[Namespace, int]:
        """The kernel chooses them; a task in a pid namespace has one there as well."""
        if namespace is self._outside:
            return {namespace: tid}
        return {
            self._outside: tid,
            namespace: int(procfs.status(pid, tid)["NSpid"].split()[-1]),
        }

    def _signal(self, number: int, group: Group) -> None:
        found = attempt(os.kill, group.leader.pid.numbers[self._outside], number)
        self._agree(found, lambda: self.spec.signal(number, group), f"kill({group})")

    def _call(self, by: Task, function: Callable[..., Any], *args: object) -> Any:
        if by is self.test.leader:
            return attempt(function, *args)
        return attempt(self._threads[by].call, function, *args)

    def _wait(self, child: Group, by: Task, options: int) -> None:
        pid = child.leader.pid
        number = pid.numbers[by.group.namespace]
        found = self._call(by, syscalls.waitid, P_PID, number, options | os.WNOHANG)
        self._reaped(found, lambda: self.spec.wait(by.group, pid, options), "P_PID")

    def _reaped(self, found: object, specified: Callable[[], object], kind: str) -> None:
        """Note which of our children is no more, before anything else can go wrong."""
        if isinstance(found, os.waitid_result):
            found = news = told(found)
            for real in self._groups.values():
                if news and news.pid == real.pid and not isinstance(news.news, Report):
                    real.reaped = True
        self._agree(found, specified, f"waitid({kind})")

    def _agree(self, found: object, specified: Callable[[], object], what: str) -> None:
        _compare(found, attempt(specified), what)

    def _keep(self, found: object, specified: Callable[[], Pidfd], what: str) -> Pidfd | None:
        due = attempt(specified)
        if isinstance(found, RealPidfd) and isinstance(due, Pidfd):
            found.role = due.name
            self.pidfds[due] = found
            return due
        _compare(found, due, what)
        return None

    def finish(self) -> None:
        """End and reap all that was made, orphans too, whatever the specification has of them."""
        for pidfd in self.pidfds.values():
            pidfd.close()
        for real in self._groups.values():
            if real.parent is None and not real.reaped:
                os.kill(real.pid, signal.SIGKILL)
        for real in self._groups.values():  # the descendants die with them, and become ours
            settling.reap(real.pid)
            real.reaped = True
        process.end_all()
        syscalls.prctl(PR_SET_CHILD_SUBREAPER, 0)

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()


def _compare(found: object, due: object, what: str) -> None:
    if not differences.same(found, due):
        raise differences.Disagreement(f"{what}: the kernel says {found!r}, {due!r} is due")


def _own_cgroup() -> int | None:
    """The id of our cgroup by its directory, or else as the kernel tells it of ourselves."""
    try:
        return cgroup.id_of(cgroup.directory_of_own())
    except OSError:
        with RealPidfd.open(os.getpid()) as pidfd:
            return pidfd.info().cgroupid


def _refuse_to_execute() -> None:
    raise PermissionError(errno.EACCES, "a directory")


def _ids_inside(outside: Namespace) -> tuple[Ids, Ids]:
    """What our ids are in the user namespace that an ordinary user needs for a pid namespace."""
    return (outside.uids, outside.gids) if os.geteuid() == 0 else procfs.overflow_ids()
