"""What the kernel promises of thread groups and pidfds, as a program: it makes no system call.

Read it from the questions at the end of `Kernel` backwards: what a pidfd answers follows from its
`Pid`, the `Task` that bears this pid now, and the `Group` of that task. A refusal is an `OSError`
with the kernel's errno. Every method is one whole step: all that follows from it has come to rest.

Rules without a commit are older than pidfds. Sources: kernel/exit.c, kernel/signal.c, fs/exec.c
(``de_thread``), fs/pidfs.c, kernel/pid.c and kernel/pid_namespace.c.
"""

from __future__ import annotations

import errno
import os
import signal
from typing import NoReturn

from helpers.info import Exited, Killed, Outcome, PidfdInfo
from helpers.model.tasks import Group, Namespace, Pid, Pidfd, Report, Sigchld, Task, Told
from helpers.uapi import InfoMask, PollEvent


def refuse(number: int) -> NoReturn:
    """Fail as a system call does."""
    raise OSError(number, os.strerror(number))


class Kernel:
    """The tasks that a test makes, and the rules by which they live and end.

    The test is a subreaper. Every process that another one forks has asked for SIGKILL when its
    parent ends (``PR_SET_PDEATHSIG``); all are of one user and in one cgroup.
    """

    def __init__(self, pid: int, namespace: Namespace, cgroupid: int | None) -> None:
        """Begin with the test alone, process `pid` of `namespace`."""
        self.namespace, self.cgroupid = namespace, cgroupid
        self.groups: list[Group] = []
        self.test = Group("state.test", namespace)
        self.test.leader = self._bear("test", self.test, {namespace: pid})
        self._threads = self._pidfds = 0

    # ---- what tasks do ----

    def fork(self, parent: Task, numbers: dict[Namespace, int], *, new_ns: bool = False) -> Group:
        """`parent` makes a process; with `new_ns` it is the first of a new pid namespace.

        Handlers are inherited, and with them what becomes of ended children.
        """
        namespace = [*numbers][-1]
        group = Group(f"group_{len(self.groups)}", namespace, parent, sigchld=parent.group.sigchld)
        if new_ns:
            namespace.init = group
        group.leader = self._bear(group.name, group, numbers)
        self.groups.append(group)
        return group

    def make_thread(self, maker: Task, numbers: dict[Namespace, int]) -> Task:
        """`maker` makes a subthread."""
        task = self._bear(f"thread_{self._threads}", maker.group, numbers)
        self._threads += 1
        return task

    def exit(self, task: Task, status: int) -> None:
        """``_exit``: one thread ends. The status of the last one is that of the process."""
        self._end(task, Exited(status))

    def exit_group(self, task: Task, status: int) -> None:
        """``exit_group``: all threads end, with one status."""
        self._end_group(task.group, Exited(status))

    def execute(self, task: Task) -> None:
        """``execve``, once nothing can refuse it any more: `task` is all that is left of its group.

        The others end with status 0. A subthread becomes the leader: it takes over the pid of the
        old leader, whose pidfds go on as if nothing had happened; the old leader is reaped under
        the pid that the subthread had, and leaves its end there.
        """
        group, old = task.group, task.group.leader
        for other in group.living:
            if other is not task:
                self._end(other, Exited(0))
        if task is not old:
            task.pid, old.pid = old.pid, task.pid
            task.pid.task, old.pid.task = task, old
            group.leader = task
            self._release(old)
        group.executed = True
        if group.sigchld is Sigchld.NO_ZOMBIES:  # flags of handlers go, SIG_IGN stays
            group.sigchld = Sigchld.DEFAULT

    def signal(self, number: int, group: Group, thread: Task | None = None) -> None:
        """A signal from the test to `group`, or to its `thread` alone; all are left at default.

        Whichever thread takes it: the effect is the group's. A zombie takes none, so one to a
        thread that has ended is lost, but for the side effect of SIGCONT.
        """
        if number == signal.SIGCONT and group.stopped:
            group.stopped, group.report = False, Report.CONTINUED
            if group.terminating:
                self._end_group(group, Killed(signal.SIGTERM))
        elif not group.living or (thread and thread.end):
            return
        elif number == signal.SIGKILL:
            self._end_group(group, Killed(signal.SIGKILL))
        elif number == signal.SIGTERM and group.namespace.init is not group:
            if group.stopped:
                group.terminating = True
            else:
                self._end_group(group, Killed(signal.SIGTERM))
        elif number == signal.SIGSTOP and not group.stopped:
            group.stopped, group.report = True, Report.STOPPED

    # ---- what follows ----

    def _bear(self, name: str, group: Group, numbers: dict[Namespace, int]) -> Task:
        task = Task(name, Pid(numbers), group)
        task.pid.task = task
        group.threads.append(task)
        return task

    def _end_group(self, group: Group, outcome: Outcome) -> None:
        group.outcome = outcome
        for task in group.living:
            self._end(task, outcome)

    def _end(self, task: Task, outcome: Outcome) -> None:
        """A thread ends. A subthread is gone at once; a leader stays, a zombie.

        A leader that ends before its subthreads is told of by nothing until the last of them ends
        (0fb482728ba1 "pidfs: improve multi-threaded exec and premature thread-group leader exit
        polling", v6.15).
        """
        task.end = outcome
        group = task.group
        heirs = group.living
        if not heirs and group.namespace.init is group:
            self._end_namespace(group)
        for child in self._children(task):
            child.parent = heirs[0] if heirs else self._reaper_for(group)
            if not heirs and not child.living:
                self._notify(child)
            if not child.is_reaped:
                self.signal(signal.SIGKILL, child)
        if task is not group.leader:
            self._release(task)
        if not heirs:
            # What the last thread left is the end of the process, and of its leader
            # (9133607de37a "exit: fix the usage of delay_group_leader->exit_code in
            # do_notify_parent() and pidfs_exit()", v6.15).
            group.outcome = group.leader.end = group.outcome or outcome
            group.stopped, group.report = False, None
            self._notify(group)

    def _notify(self, group: Group) -> None:
        """The parent hears of the end: it reaps, or has left that to the kernel."""
        assert group.parent is not None
        if group.parent.group.sigchld is not Sigchld.DEFAULT:
            self._release(group.leader)

    def _release(self, task: Task) -> None:
        """Nobody bears the pid any more. What is known of the end stays with it.

        Whoever can ask for that holds a pidfd from before: `open` refuses from now on.
        """
        task.pid.task, task.pid.exit = None, task.end

    def _children(self, parent: Task) -> list[Group]:
        return [group for group in self.groups if group.parent is parent and not group.is_reaped]

    def _reaper_for(self, group: Group) -> Task:
        """Who adopts the children of a group that has ended: the first process of a namespace."""
        init = group.namespace.init
        return init.living[0] if init and init.living else self.test.leader

    def _end_namespace(self, init: Group) -> None:
        """The first process ends, when all others are killed and the kernel has reaped them."""
        init.sigchld = Sigchld.IGNORED
        others = [group for group in self.groups if group.namespace is init.namespace]
        for group in others:
            if group is not init and not group.is_reaped:
                self._end_group(group, Killed(signal.SIGKILL))
        for group in others:
            if group is not init and not group.is_reaped:
                self._release(group.leader)

    # ---- what may be asked ----

    def open(self, task: Task, *, thread: bool) -> Pidfd:
        """``pidfd_open(2)`` of a task that has not been reaped; any one with ``PIDFD_THREAD``.

        The errno for a subthread is ENOENT since 17f1b08acf50, v6.16, and was EINVAL.
        """
        if task.pid.task is not task:
            refuse(errno.ESRCH)
        if not thread and task is not task.group.leader:
            refuse(errno.ENOENT)
        return self.duplicate(Pidfd("", task.pid, thread))

    def duplicate(self, pidfd: Pidfd) -> Pidfd:
        """Another descriptor of the same file, by ``dup`` or by a message to oneself."""
        self._pidfds += 1
        return Pidfd(f"pidfd_{self._pidfds - 1}", pidfd.pid, pidfd.thread)

    def signal_by(self, pidfd: Pidfd, number: int) -> None:
        """``pidfd_send_signal(2)`` in the scope of the pidfd."""
        task = pidfd.pid.task
        if task is None:
            refuse(errno.ESRCH)
        self.signal(number, task.group, task if pidfd.thread else None)

    def poll(self, pidfd: Pidfd) -> PollEvent:
        """IN when it can be reaped, or was, and HUP with it from the reap on."""
        task = pidfd.pid.task
        if task is None:
            return PollEvent.IN | PollEvent.HUP
        return PollEvent.NONE if task.group.living else PollEvent.IN

    def info(self, pidfd: Pidfd, asked: InfoMask, asker: Group) -> PidfdInfo:
        """``PIDFD_GET_INFO`` by `asker`: who it is until the reap, how it ended from then on."""
        numbers, task = pidfd.pid.numbers, pidfd.pid.task
        if asker.namespace not in numbers:
            refuse(errno.EREMOTE)  # ab89060fbc92, v7.0; ESRCH before
        cgroup = InfoMask.NONE if self.cgroupid is None else InfoMask.CGROUPID
        if task is None:
            if InfoMask.EXIT not in asked:
                refuse(errno.ESRCH)
            return PidfdInfo(InfoMask.EXIT | cgroup, exit=pidfd.pid.exit, cgroupid=self.cgroupid)
        assert task.group.parent is not None
        return PidfdInfo(
            InfoMask.PID | InfoMask.CREDS | cgroup,
            pid=numbers[asker.namespace],
            tgid=task.group.leader.pid.numbers[asker.namespace],
            ppid=task.group.parent.group.leader.pid.numbers.get(asker.namespace, 0),
            uids=asker.namespace.uids,
            gids=asker.namespace.gids,
            cgroupid=self.cgroupid,
        )

    def shown(self, pidfd: Pidfd) -> list[int]:
        """``NSpid`` in the test's fdinfo, whose first number is ``Pid``; -1 once it was reaped."""
        return [*pidfd.pid.numbers.values()] if pidfd.pid.task else [-1]

    def wait(self, asker: Group, pid: Pid, options: int) -> Told | None:
        """``waitid`` with WNOHANG for one child, by P_PID or P_PIDFD; with WNOWAIT nothing changes.

        Only a parent may ask, and only of a group. None: there may be news later.
        """
        task = pid.task
        if task is None or task is not task.group.leader:
            refuse(errno.ECHILD)
        group, number = task.group, pid.numbers.get(asker.namespace, 0)
        if group.parent is None or group.parent.group is not asker:
            refuse(errno.ECHILD)
        if not group.living:
            if not options & os.WEXITED:
                refuse(errno.ECHILD)
            assert group.outcome is not None
            if not options & os.WNOWAIT:
                self._release(task)
            return Told(number, group.outcome)
        wanted = {Report.STOPPED: os.WSTOPPED, Report.CONTINUED: os.WCONTINUED}
        news = group.report
        if news is None or not options & wanted[news]:
            return None
        if not options & os.WNOWAIT:
            group.report = None
        return Told(number, news)
