"""Features of pidfds from sockets, and of core dumps; see `helpers.features`."""

from __future__ import annotations

import errno
import os
import socket

from helpers import coredump, crash_helper, crashes, process
from helpers.features import Absent, Feature, Forbidden, Present, Verdict, errno_of, judge, where
from helpers.features_info import COREDUMP, about
from helpers.kernel import Version
from helpers.sockets import UnixSocket
from helpers.uapi import CloneFlag


def _probe_peer() -> Verdict:
    one, other = UnixSocket.pair()
    with one, other:
        error = errno_of(lambda: one.peer_pidfd().close())
    return judge(error, "getsockopt(SO_PEERPIDFD)", (errno.ENOPROTOOPT,))


def _probe_pass() -> Verdict:
    with UnixSocket.new() as one:
        error = errno_of(one.ask_for_pidfds)
    return judge(error, "setsockopt(SO_PASSPIDFD)", (errno.ENOPROTOOPT,))


def _probe_restriction() -> Verdict:
    with UnixSocket.new(socket.AF_INET) as one:
        error = errno_of(one.ask_for_pidfds)
    if error == errno.EOPNOTSUPP:
        return Present()
    return Absent("setsockopt(SO_PASSPIDFD) is taken by an AF_INET socket")


def _probe_inet() -> Verdict:
    error = errno_of(lambda: UnixSocket.new(socket.AF_INET).close())
    return judge(error, "socket(AF_INET)", (errno.EAFNOSUPPORT,))


def _probe_dump() -> Verdict:
    obstacle = crashes.obstacle()
    return Forbidden(obstacle) if obstacle else Present()


def _probe_helper() -> Verdict:
    obstacle = crash_helper.obstacle()
    if obstacle:
        return Forbidden(obstacle)
    with crashes.alone():
        return Present()


def _probe_unkept_dump() -> Verdict:
    obstacle = crashes.obstacle_to_any()
    if obstacle:
        return Forbidden(obstacle)
    try:
        child = process.spawn(CloneFlag.NEWUSER | CloneFlag.NEWNS, role="probe")
        child.leader.call(coredump.allow_in_private, os.geteuid(), os.getegid())
    except OSError as error:
        return Forbidden(f"no private place can be made for it ({error.strerror})")
    return Present()


PEERPIDFD = Feature("SO_PEERPIDFD", Version(6, 5), _probe_peer)
PASSPIDFD = Feature("SO_PASSPIDFD and SCM_PIDFD", Version(6, 5), _probe_pass)
INET = Feature("AF_INET sockets", Version(2, 6), _probe_inet, ("INET",))
PASS_RESTRICTED = Feature(
    "SO_PASSPIDFD for sockets that can carry pidfds alone",
    Version(6, 16),
    where(INET, _probe_restriction),
    ("INET",),
    rule=True,
)
_DUMP_OPTIONS = ("COREDUMP", "ELF_CORE", "FILE_LOCKING")
DUMP_SOCKET = Feature(
    "core dumps on a socket",
    Version(6, 16),
    _probe_dump,
    _DUMP_OPTIONS,
)
DUMP_HELPER = Feature(
    "core dumps to a helper that is given a pidfd",
    Version(6, 16),
    about(COREDUMP, _probe_helper),
    _DUMP_OPTIONS,
)
CORE_DUMP = Feature(
    "a core dump that nobody keeps",
    Version(3, 8),
    _probe_unkept_dump,
    (*_DUMP_OPTIONS, "USER_NS"),
)
