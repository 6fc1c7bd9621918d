"""Faults of ``PIDFD_GET_*_NAMESPACE`` and of ``setns(2)`` by a pidfd."""

from __future__ import annotations

import errno
import os

from helpers import namespaces
from helpers.namespaces import Kind
from helpers.uapi import PIDFS_IOCTL_MAGIC, CloneFlag, ioctl_none
from selftests.faults import boundary, pidfds
from selftests.faults.boundary import EACCES, EBADF, EINVAL, EPERM, ESRCH, Broken, Real
from selftests.faults.registry import breaks, fault

_KINDS = {ioctl_none(PIDFS_IOCTL_MAGIC, kind.number): kind for kind in namespaces.KINDS}


def _namespace_of(pid: int | str, kind: Kind) -> int:
    return os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)


def _instead(request_of_namespace: Broken) -> None:
    """Answer requests for namespaces otherwise: given the real call, descriptor, kind, argument."""

    def broken(real: Real, fd: int, request: int, argument: int | None = None) -> int:
        if request not in _KINDS or not pidfds.target(fd):
            return int(real(fd, request, argument))
        return int(request_of_namespace(real, fd, _KINDS[request], argument))

    boundary.wrap("ioctl", broken)


def _number(kind: Kind) -> int:
    return ioctl_none(PIDFS_IOCTL_MAGIC, kind.number)


def _callers_instead_of(number: int) -> None:
    def answer(real: Real, fd: int, kind: Kind, argument: int | None) -> int:
        try:
            return int(real(fd, _number(kind), argument))
        except OSError as error:
            if error.errno != number:
                raise
            return _namespace_of("self", kind)

    _instead(answer)


@fault()
def namespace_of_the_caller() -> None:
    """The namespace is that of the process."""
    _instead(lambda real, fd, kind, argument: _namespace_of("self", kind))


@fault()
def namespace_of_the_leader() -> None:
    """A pidfd of a thread gives the namespace of that thread."""
    _instead(lambda real, fd, kind, argument: _namespace_of(pidfds.leader_of(fd), kind))


@fault()
def namespace_of_the_children_is_the_own() -> None:
    """The namespace of the children is told apart from that of the process."""
    own = {
        namespaces.PID_FOR_CHILDREN: namespaces.PID,
        namespaces.TIME_FOR_CHILDREN: namespaces.TIME,
    }
    _instead(lambda real, fd, kind, argument: real(fd, _number(own.get(kind) or kind), argument))


@fault()
def kind_of_namespace_unknown() -> None:
    """Every kind of namespace that the kernel has can be asked for."""

    def answer(real: Real, fd: int, kind: Kind, argument: int | None) -> int:
        if kind == namespaces.UTS:
            boundary.fail(errno.EOPNOTSUPP)
        return int(real(fd, _number(kind), argument))

    _instead(answer)


@fault()
def namespace_kept_on_exec() -> None:
    """The descriptor of a namespace is closed on exec."""
    _instead(
        lambda real, fd, kind, argument: pidfds.kept_on_exec(real(fd, _number(kind), argument))
    )


@fault()
def argument_of_a_request_ignored() -> None:
    """The argument of a request for a namespace must be 0."""
    _instead(lambda real, fd, kind, argument: real(fd, _number(kind), 0))


@fault()
def namespaces_outlive_the_process() -> None:
    """An ended process has no namespaces."""
    _callers_instead_of(ESRCH)


@fault()
def namespaces_shown_to_everybody() -> None:
    """Who may not look into a process does not get its namespaces."""
    _callers_instead_of(EACCES)


@fault()
def namespaces_shown_to_the_privileged_only() -> None:
    """Who may look into a process gets its namespaces, without a privilege."""

    def answer(real: Real, fd: int, kind: Kind, argument: int | None) -> int:
        if pidfds.unprivileged():
            boundary.fail(EACCES)
        return int(real(fd, _number(kind), argument))

    _instead(answer)


@breaks("setns")
def setns_does_nothing(real: Real, fd: int, kinds: int) -> None:
    """A call moves the caller into the namespaces asked for."""


@breaks("setns")
def setns_enters_a_kind_less(real: Real, fd: int, kinds: int) -> None:
    """One call moves the caller into every namespace asked for."""
    least = kinds & -kinds
    real(fd, kinds & ~least if kinds != least else kinds)


@breaks("setns")
def setns_enters_the_pid_namespace_of_children(real: Real, fd: int, kinds: int) -> None:
    """The pid namespace of a process is the one that it is in."""
    pid = pidfds.target(fd)
    real(fd, kinds)
    if pid and kinds & CloneFlag.NEWPID:
        real(_namespace_of(pid, namespaces.PID_FOR_CHILDREN), 0)


@fault()
def setns_asks_no_permission() -> None:
    """To enter needs rights over the process and over its namespaces."""
    boundary.accept("setns", EPERM)


@fault()
def setns_takes_what_is_invalid() -> None:
    """Flags of namespaces are wanted, a pidfd or a namespace, and a root directory of one's own."""
    boundary.accept("setns", EINVAL)


@fault()
def setns_takes_a_path() -> None:
    """To enter is wanted a descriptor that is open for more than its path."""
    boundary.accept("setns", EBADF)


@fault()
def setns_enters_the_dead() -> None:
    """The namespaces of an ended process cannot be entered."""
    boundary.accept("setns", ESRCH)


@fault()
def ended_process_is_invalid_to_enter() -> None:
    """From its end on a process that cannot be entered is not found, and not invalid."""
    boundary.swap_errno("setns", ESRCH, EINVAL)


@fault()
def namespaces_are_shown_to_the_real_user() -> None:
    """The user for files decides whose namespaces are shown."""

    def answer(real: Real, fd: int, kind: Kind, argument: int | None) -> int:
        if os.getuid() != os.geteuid():
            mine = pidfds.is_of_user(fd, os.getuid())
            return _namespace_of("self", kind) if mine else boundary.fail(EACCES)
        return int(real(fd, _number(kind), argument))

    _instead(answer)


@breaks("setns")
def setns_goes_by_the_effective_user(real: Real, fd: int, kinds: int) -> None:
    """The real user decides whose namespaces may be entered."""
    if os.getuid() != os.geteuid() and pidfds.target(fd):
        boundary.fail(EINVAL if pidfds.is_of_user(fd, os.geteuid()) else EPERM)
    real(fd, kinds)


@breaks("setns")
def setns_keeps_the_working_directory(real: Real, fd: int, kinds: int) -> None:
    """Who enters a mount namespace stands in its root."""
    here = os.open(".", os.O_PATH | os.O_CLOEXEC)
    real(fd, kinds)
    os.fchdir(here)
    os.close(here)


@breaks("setns")
def setns_enters_the_namespaces_of_the_leader(real: Real, fd: int, kinds: int) -> None:
    """A pidfd of a thread leads to the namespaces of that thread."""
    leader = pidfds.leader_of(fd)
    real(os.pidfd_open(leader) if leader else fd, kinds)


@fault()
def namespaces_are_entered_one_by_one() -> None:
    """Namespaces are entered all or none."""

    def halfway(real: Real, fd: int, kinds: int) -> None:
        if kinds & CloneFlag.NEWUTS:
            real(fd, CloneFlag.NEWUTS)
        boundary.fail(EINVAL)

    boundary.instead_of_errno("setns", EINVAL, halfway)
