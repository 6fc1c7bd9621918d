"""Features of pidfds from sockets, core dumps on them included; see `helpers.features`."""

from __future__ import annotations

import errno
import socket

from helpers import crash_helper, crashes
from helpers.features import Absent, Feature, Forbidden, Present, Verdict, errno_of, judge
from helpers.features_info import COREDUMP, about
from helpers.kernel import Version
from helpers.sockets import UnixSocket


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


PEERPIDFD = Feature("SO_PEERPIDFD", Version(6, 5), _probe_peer)
PASSPIDFD = Feature("SO_PASSPIDFD and SCM_PIDFD", Version(6, 5), _probe_pass)
PASS_RESTRICTED = Feature(
    "SO_PASSPIDFD for sockets that can carry pidfds alone",
    Version(6, 16),
    _probe_restriction,
    ("INET",),
    rule=True,
)
INET = Feature("AF_INET sockets", Version(2, 6), _probe_inet, ("INET",))
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
