"""Faults of what /proc shows of pidfds."""

from __future__ import annotations

import re
from collections.abc import Callable

from helpers import fdinfo
from selftests.faults import answers, pidfds
from selftests.faults.registry import fault

Numbers = Callable[[int, list[str]], list[str]]


def _edit_numbers(edit: Numbers) -> None:
    """Change NSpid, and Pid as the first of its numbers; `edit` is given the descriptor too."""

    def text(path: str, found: str) -> str:
        fd = int(path.rpartition("/")[2])
        line = re.search(r"^NSpid:\t(.*)$", found, re.MULTILINE)
        if not line:
            return found
        numbers = edit(fd, line[1].split("\t"))
        shown = "\t".join(numbers)
        found = re.sub(r"^NSpid:.*$", f"NSpid:\t{shown}", found, flags=re.MULTILINE)
        return re.sub(r"^Pid:.*$", f"Pid:\t{numbers[0]}", found, flags=re.MULTILINE)

    answers.edit_file(fdinfo, "/proc/self/fdinfo/", text)


@fault()
def fdinfo_shows_another_pid() -> None:
    """Pid is the task's, as the pid namespace of the procfs has it."""
    _edit_numbers(lambda fd, numbers: [str(int(numbers[0]) + 1), *numbers[1:]])


@fault()
def fdinfo_shows_the_outermost_pid_alone() -> None:
    """NSpid continues with the pids of the namespaces below."""
    _edit_numbers(lambda fd, numbers: numbers[:1])


@fault()
def fdinfo_shows_the_process_of_a_thread() -> None:
    """A thread is shown by its own ids."""
    _edit_numbers(lambda fd, numbers: [str(pidfds.leader_of(fd)), *numbers[1:]])


@fault()
def fdinfo_follows_its_reader() -> None:
    """The pid namespace of the procfs decides, and not its reader's."""

    def edit(fd: int, numbers: list[str]) -> list[str]:
        return numbers[-1:] if pidfds.in_inner_namespace() else numbers

    _edit_numbers(edit)


@fault()
def task_out_of_sight_is_shown_as_gone() -> None:
    """A task that the procfs does not hold is shown as 0."""
    _edit_numbers(lambda fd, numbers: ["-1" if it == "0" else it for it in numbers])


@fault()
def task_that_is_gone_is_shown_as_out_of_sight() -> None:
    """A task that is reaped is shown as -1."""
    _edit_numbers(lambda fd, numbers: ["0" if it == "-1" else it for it in numbers])


@fault()
def zombie_is_shown_as_gone() -> None:
    """A zombie keeps its pid until it is reaped."""
    _edit_numbers(lambda fd, numbers: ["-1"] if pidfds.state(fd) == "Z" else numbers)


def _edit_line(name: str, value: str) -> None:
    def text(path: str, found: str) -> str:
        return re.sub(rf"^{name}:.*$", f"{name}:\t{value}", found, flags=re.MULTILINE)

    answers.edit_file(fdinfo, "/proc/self/fdinfo/", text)


@fault()
def fdinfo_shows_no_flags() -> None:
    """The flags of pidfd_open are shown."""
    _edit_line("flags", "0")


@fault()
def fdinfo_shows_one_inode() -> None:
    """The inode number that is shown is that of fstat."""
    _edit_line("ino", "1")
