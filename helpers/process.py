"""Children under remote control: thread groups whose threads take orders.

Each order is acknowledged, or its end is seen by an event that the kernel itself gives. What a
test made is ended and reaped by `end_all`, in every way in which a test can end.
"""

from __future__ import annotations

import os
import signal

from helpers import agent, journal, procfs, reaping
from helpers.deadline import Deadline, DeadlineExpired, wait_until
from helpers.info import Outcome, decode_waitid, signal_name
from helpers.pidfd import Pidfd
from helpers.thread import ChildFailed, Order, Thread, unless_refused
from helpers.uapi import P_PID, WALL, CloneFlag, PidfdFlag
from helpers.wire import Channel
from helpers.zygote import Zygote


class ThreadGroup:
    """A child process. It begins with its leader alone."""

    def __init__(
        self, pid: int, channel: Channel, role: str, parent: ThreadGroup | None = None
    ) -> None:
        """Take over the process `pid` that serves `channel`; `parent` None: it is our child."""
        self.pid, self.role, self.parent = pid, role, parent
        self.leader = Thread(self, pid, channel, "leader" if role == "child" else role)
        self.threads = [self.leader]
        self.beacon: Channel | None = None
        self.reaped = False
        self._told_end = False
        self.namespaced = False  # in a pid namespace below ours: it knows itself by other numbers
        _groups.append(self)

    def spawn_thread(self, role: str | None = None) -> Thread:
        """Let the leader make a subthread."""
        return self.adopt_thread(self.leader, role or f"subthread {len(self.threads)}")

    def adopt_thread(self, maker: Thread, role: str) -> Thread:
        """Let `maker` make a thread and learn its id in our pid namespace."""
        ours, theirs = Channel.pair(role)
        maker.call(agent.spawn_thread, theirs)
        theirs.close()
        inner = ours.receive_within(Deadline(), f"{role} of {self!r} to say that it runs")
        tid = procfs.inner_tids(self.pid)[inner] if self.namespaced else inner
        thread = Thread(self, tid, ours, role)
        self.threads.append(thread)
        journal.record(thread, f"runs as tid {tid}")
        return thread

    def adopt_child(
        self, maker: Thread, flags: CloneFlag, exit_signal: int, role: str
    ) -> ThreadGroup:
        """Let `maker` make a child process; see `Thread.fork`."""
        ours, theirs = Channel.pair(role)
        ours.ask_for_sender()
        try:
            maker.call(agent.fork, theirs, flags, exit_signal)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        # Its pid as our own pid namespace has it comes from the kernel, with the first answer.
        group = ThreadGroup(0, ours, role, parent=self)
        inner = group.leader.call(os.getpid)
        group.pid = group.leader.tid = ours.sender_pid
        group.namespaced = inner != group.pid
        journal.record(maker, f"forked {group!r}")
        return group

    def race_to_exec(self, *threads: Thread) -> None:
        """Let `threads` execute the small program all at once; returns when it runs for one."""
        self.beacon, theirs = Channel.pair("new image")
        gate, start = Channel.pair("starting gate")
        for thread in threads:
            thread.begin(agent.exec_echo_at_gate, theirs, start)
        theirs.close()
        start.close()
        for _ in threads:
            gate.receive_within(Deadline(), f"the threads of {self!r} to stand at the gate")
        gate.close()
        self.assert_runs()
        journal.record(self, f"the image runs that {len(threads)} threads raced to execute")

    def assert_runs(self) -> None:
        """Let the small program of `Thread.exec` answer; raises `ChildFailed` if it cannot."""
        assert self.beacon is not None, "nothing was executed"
        try:
            self.beacon.send_raw(b"?")
            alive = self.beacon.receive_raw(Deadline(), f"the new image of {self!r}")
        except OSError:
            alive = b""
        if not alive:
            raise self.died("the new image was to run")

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Signal the group by pid, which cannot be another's before it is reaped."""
        journal.record("test", f"kill({self.role}, {signal_name(number)})")
        os.kill(self.pid, number)

    def await_end(self, by: Order | None = None) -> None:
        """Wait until the whole group has ended: nothing is left of it but a zombie leader.

        It ends `by` an order of which an error is raised.
        """
        ended = unless_refused(by, self._has_ended)
        wait_until(ended, f"the end of {self!r}", state=self._state)
        if not self._told_end:
            self._told_end = True
            journal.record(self, "has ended")

    def _has_ended(self) -> bool:
        if self.parent is None:
            options = os.WEXITED | os.WNOHANG | os.WNOWAIT | WALL
            try:
                return os.waitid(P_PID, self.pid, options) is not None
            except ChildProcessError:
                return True
        state = procfs.task_state(self.pid)
        try:
            return state is None or (
                state == "Z" and len(os.listdir(f"/proc/{self.pid}/task")) == 1
            )
        except FileNotFoundError:  # reaped between the two looks
            return True

    def _state(self) -> str:
        return f"{procfs.told_state(self.pid)}, threads {procfs.told_threads(self.pid)}"

    def reap(self) -> Outcome:
        """Wait for the end and reap, as the parent, which must know it by our number."""
        self.await_end()
        if self.parent is None:
            result = os.waitid(P_PID, self.pid, os.WEXITED | os.WNOHANG | WALL)
            assert result is not None, f"{self!r} was to be reaped, and now waitid finds no zombie"
            outcome = decode_waitid(result)
            journal.record("test", f"reaped {self}: {outcome}")
        else:
            outcome = self.parent.leader.call(reaping.reap, self.pid)
        self.reaped = True
        return outcome

    def pidfd(self, flags: PidfdFlag = PidfdFlag.NONE) -> Pidfd:
        """A pidfd of the leader; without flags it is of the process."""
        return self.leader.pidfd(flags)

    def hang_up(self) -> None:
        """Give no more orders: what waits for one ends."""
        for thread in self.threads:
            thread.channel.close()
        if self.beacon is not None:
            self.beacon.close()

    def died(self, while_: str) -> ChildFailed:
        """Say that the group ended unexpectedly, or hung up, and what its code printed."""
        became, short = "ended", Deadline().length / 20
        try:
            wait_until(self._has_ended, f"the end of {self!r}", seconds=short)
        except DeadlineExpired:
            became = f"hung up in {self._state()}"
        said = zygote().new_errors()
        return ChildFailed(
            f"{self!r} {became} while {while_}" + (f"; it said:\n{said}" if said else "")
        )

    def __str__(self) -> str:
        return self.role

    def __repr__(self) -> str:
        return f"<ThreadGroup {self.role}, pid {self.pid}>"


_groups: list[ThreadGroup] = []
_zygote: Zygote | None = None


def zygote() -> Zygote:
    """The zygote of this pytest process, started when first asked for, and anew when it is lost."""
    global _zygote
    if _zygote is not None and _zygote.is_lost:
        stop_zygote()
    if _zygote is None:
        # What pytest-timeout or Ctrl-C raises in between would leave a process that nobody knows.
        held = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGALRM, signal.SIGINT))
        try:
            _zygote = Zygote()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
    return _zygote


def stop_zygote() -> None:
    """End it at the end of the session."""
    global _zygote
    if _zygote is not None:
        _zygote.stop()
        _zygote = None


def spawn(flags: CloneFlag = CloneFlag.NONE, role: str = "child") -> ThreadGroup:
    """A child process of ours, in the new namespaces that `flags` ask for.

    Raises ``OSError`` when the kernel, or a sandbox, refuses them.
    """
    newborn = zygote().child(flags)
    group = ThreadGroup(newborn.pid, newborn.channel, role)
    group.namespaced = bool(flags & CloneFlag.NEWPID)
    journal.record("test", f"spawned {group!r}" + (f" with {flags}" if flags else ""))
    return group


def end_all() -> None:
    """Kill and reap whatever the test made and did not reap itself."""
    groups, _groups[:] = _groups[:], []
    for group in groups:
        if group.parent is None and not group.reaped:
            _end(group)
    # The kernel kills the others with their parents, and they end when their channels do.
    for group in groups:
        group.hang_up()


def reap_orphans() -> None:
    """As the first process of a container: reap what lost its parent and fell to us."""
    for pid in zygote().strangers(procfs.children()):
        try:
            os.waitid(P_PID, pid, os.WEXITED | os.WNOHANG | WALL)
        except ChildProcessError:  # reaped by now
            pass


def _end(group: ThreadGroup) -> None:
    if not _is_reaped(group.pid):  # else its number may be another's by now
        try:
            os.kill(group.pid, signal.SIGKILL)
            os.kill(group.pid, signal.SIGCONT)
        except PermissionError:  # another user's, and we have no CAP_KILL
            group.hang_up()
        wait_until(lambda: _is_reaped(group.pid), f"the end of {group!r}", state=group._state)
    group.reaped = True


def _is_reaped(pid: int) -> bool:
    try:
        return os.waitid(P_PID, pid, os.WEXITED | os.WNOHANG | WALL) is not None
    except ChildProcessError:
        return pid not in procfs.children()
