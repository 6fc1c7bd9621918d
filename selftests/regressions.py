"""Which tests stand for the bugs of pidfds in the past, from the fixes that their docstrings cite.

``python -m selftests.regressions > docs/regressions.md`` makes the table anew.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from selftests.coverage import ROOT, Docstring, docstrings

TABLE = ROOT / "docs" / "regressions.md"


class Fix(NamedTuple):
    """One commit of the kernel; a fix that is known by its subject alone has no `commit`."""

    commit: str
    subject: str
    version: str

    def is_cited_in(self, text: str) -> bool:
        """Whether a docstring, in one line, cites it; always with its subject."""
        quoted = f'"{self.subject}"', f"'{self.subject}'"
        return any(self.commit in text and subject in text for subject in quoted)

    def __str__(self) -> str:
        named = f'{self.commit} ("{self.subject}")' if self.commit else f'"{self.subject}"'
        return f"{named}, {self.version}"


class Bug(NamedTuple):
    """Fixes that belong together, and what user space saw; `why` where no test cites them."""

    seen: str
    fixes: tuple[Fix, ...]
    why: str = ""


BUGS = (
    Bug(
        "lsof and SELinux policies met a regular file in place of an anonymous inode",
        (Fix("db3d841ac9ed", "fs/pidfs: make 'lsof' happy with our inode changes", "v6.10"),),
    ),
    Bug(
        "a request for a kind of namespace that the kernel is built without",
        (
            Fix("9b3e15046437", "pidfs: handle kernels without namespaces cleanly", "v6.11"),
            Fix("f60d38cb02d0", "pidfs: when time ns disabled add check for ioctl", "v6.11"),
        ),
    ),
    Bug(
        "the pid namespace of a dead task was followed",
        (Fix("8a46067783bd", "pidfs: check for valid pid namespace", "v6.12"),),
    ),
    Bug(
        "kernel threads had no pidfds, and systemd-shutdown failed",
        (
            Fix(
                "232590ea7fc1",
                'Revert "pidfd: prevent creation of pidfds for kthreads"',
                "v6.11",
            ),
        ),
    ),
    Bug(
        "requests of another magic number or size were taken for PIDFD_GET_INFO",
        (
            Fix("8ce352818820", "pidfs: check for valid ioctl commands", "v6.14"),
            Fix("091ee63e36e8", "pidfs: improve ioctl handling", "v6.14"),
        ),
    ),
    Bug(
        "too small a structure gave EINVAL, as a wrong argument does",
        (Fix("3c17001b21b9", "pidfs: validate extensible ioctls", "v6.18"),),
    ),
    Bug(
        "a leader's exit before its subthreads, and an exec in one, looked like the end",
        (
            Fix(
                "0fb482728ba1",
                "pidfs: improve multi-threaded exec and premature thread-group leader exit polling",
                "v6.15",
            ),
        ),
    ),
    Bug(
        "SIGCHLD and exit information had the status of a leader that exited first",
        (
            Fix(
                "9133607de37a",
                "exit: fix the usage of delay_group_leader->exit_code in do_notify_parent() and "
                "pidfs_exit()",
                "v6.15",
            ),
        ),
    ),
    Bug(
        "pidfd_open(2) of a task that is being reaped, or of a subthread, gave EINVAL",
        (Fix("17f1b08acf50", "pidfs: ensure consistent ENOENT/ESRCH reporting", "v6.16"),),
    ),
    Bug(
        "the peer of a socket could not be had once it was reaped",
        (
            Fix("b590c928cca7", "net, pidfd: report EINVAL for ESRCH", "v6.16"),
            Fix(
                "20b70e58961b",
                "net, pidfs: enable handing out pidfds for reaped sk->sk_peer_pid",
                "v6.16",
            ),
        ),
    ),
    Bug(
        "PIDFD_GET_INFO was refused of a process whose parent is in no namespace of the caller",
        (Fix("b55eb6eb2a74", "pidfs: never refuse ppid == 0 in PIDFD_GET_INFO", "v6.16"),),
    ),
    Bug(
        "PIDFD_GET_INFO kept the task",
        (Fix("0b2d71a7c826", "pidfs: Fix memory leak in pidfd_info()", "v6.17"),),
    ),
    Bug(
        "pidfd_send_signal(2) by a self sentinel kept the caller's number",
        (Fix("a2c1f82618b0", "signal: Fix memory leak for PIDFD_SELF* sentinels", "v6.17"),),
    ),
    Bug(
        "open_by_handle_at(2) set FD_CLOEXEC unasked",
        (Fix("b5ca88927e35", "fhandle: do_handle_open() should get FD with user flags", "v6.17"),),
    ),
    Bug(
        "only that it was open for writing, or cannot be read, kept a pidfd from being executed",
        (Fix("1a1ad73aa1a6", "pidfs: raise SB_I_NODEV and SB_I_NOEXEC", "v6.17"),),
    ),
    Bug(
        "a caller that the kernel has detached from its number asked for numbers",
        (Fix("006568ab4c5c", "pid: Add a judgment for ns null in pid_nr_ns", "v6.18"),),
        "such a caller is in the kernel for good, and makes no system call any more",
    ),
    Bug(
        "PIDFD_INFO_COREDUMP was told of processes that dumped no core",
        (Fix("fe0e6ce3fd65", "pidfs: fix PIDFD_INFO_COREDUMP handling", "v6.19"),),
    ),
    Bug(
        "a process out of the caller's sight could not be told from one that is gone",
        (
            Fix(
                "ab89060fbc92",
                "pidfs: return -EREMOTE when PIDFD_GET_INFO is called on another ns",
                "v7.0",
            ),
        ),
    ),
    Bug(
        "pidfd_getfd(2) of a process that exits gave EBADF, or a descriptor it should not",
        (
            Fix(
                "0c9bd6bc4bb2",
                "pidfd: getfd should always report ESRCH if a task is exiting",
                "v6.9",
            ),
            Fix(
                "62c4d31d7829",
                "pidfd: refuse access to tasks that have started exiting harder",
                "v7.1",
            ),
        ),
    ),
    Bug(
        "a namespace was looked up after an exec had changed the rights that were checked",
        (Fix("", "CVE-2026-89766", "v6.12.112"),),
        "only a program that enters other namespaces at the very moment of its exec shows it",
    ),
    Bug(
        "PIDFD_GET_INFO that meets a reap, or an exec in a subthread, had nothing to tell",
        (Fix("", "pidfs: don't let PIDFD_GET_INFO miss a reaped task", "v7.3.4"),),
    ),
    Bug(
        "a thread's pidfd opened by its handle spoke to the whole process",
        (
            Fix(
                "bb6bc13c53e2",
                "pidfs: preserve thread pidfds reopened by file handle",
                "v7.2",
            ),
        ),
    ),
    Bug(
        "setns(2) changed the root directory of who shares it",
        (Fix("", "mount: refuse setns() with a shared fs_struct again", "v7.3.4"),),
    ),
    Bug(
        "setns(2) to a process that exits in the middle unbalanced a counter",
        (Fix("1c465d0518dc", "ns: handle setns(pidfd, ...) cleanly", "v6.19"),),
    ),
    Bug(
        "a poll that met the end of a process slept on",
        (Fix("b191d6491be6", "pidfd: fix a poll race when setting exit_state", "v5.3"),),
    ),
    Bug(
        "a socket copied by pidfd_getfd(2) was counted for its old owner's cgroup",
        (Fix("4969f8a07397", "pidfd: Add missing sock updates for pidfd_getfd()", "v5.9"),),
        "the priority of outgoing packets alone shows it",
    ),
    Bug(
        "SCM_PIDFD wanted more room of 32-bit programs than they have",
        (
            Fix(
                "718e6b51298e",
                "af_unix: Fix msg_controllen test in scm_pidfd_recv() for MSG_CMSG_COMPAT.",
                "v6.6",
            ),
        ),
    ),
    Bug(
        "fanotify had no pidfds of threads, nor of processes that were reaped",
        (
            Fix("17171128513b", "fanotify: report thread pidfds for FAN_REPORT_TID", "v7.2"),
            Fix("82c6dd20479b", "fanotify: allow reporting pidfds for reaped tasks", "v7.2"),
        ),
    ),
)
"""Those that user space could see, in about the order of the kernels that had them."""


def carriers(fix: Fix, known: list[Docstring]) -> list[str]:
    """The tests that cite a fix."""
    return [test.node for test in known if fix.is_cited_in(test.text)]


def render() -> str:
    """The table as Markdown."""
    known = list(docstrings())
    lines = [
        "# Bugs of the past, and the tests that would see them again",
        "",
        "Made by `python -m selftests.regressions > docs/regressions.md` from the fixes that the",
        "docstrings cite. The version is that of mainline, where a stable release did not come",
        "first.",
        "",
        "| what was wrong | fixed by | tests |",
        "|---|---|---|",
    ]
    for bug in BUGS:
        nodes = dict.fromkeys(node for fix in bug.fixes for node in carriers(fix, known))
        told = [*(f"`{node}`" for node in nodes), *([bug.why] if bug.why else [])]
        lines.append(f"| {bug.seen} | {'<br>'.join(map(str, bug.fixes))} | {'<br>'.join(told)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
