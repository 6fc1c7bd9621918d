"""Trusted extended attributes of a pidfd belong to the process, as long as it is known."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable

import pytest

from helpers import clone, filesystem, others, reaping
from helpers.expect import refused
from helpers.features import PIDFD_THREAD
from helpers.features_files import FILE_HANDLE, REOPEN, XATTR
from helpers.features_process import CLONE3, SEND_SIGNAL, SET_TID, pid_1
from helpers.gating import needs
from helpers.others import Other
from helpers.pidfd import Pidfd
from helpers.process import ThreadGroup
from helpers.rights import EVERY_CAPABILITY
from helpers.syscalls_access import drop_capabilities, fgetxattr
from helpers.uapi import PidfdFlag

pytestmark = needs(XATTR)

_NAME = "trusted.name"


def _set(pidfd: Pidfd, value: bytes, name: str = _NAME, flags: int = 0) -> None:
    os.setxattr(pidfd.fileno(), name, value, flags)


def _all(pidfd: Pidfd) -> dict[str, bytes]:
    return {name: os.getxattr(pidfd.fileno(), name) for name in os.listxattr(pidfd.fileno())}


def test_attributes_can_be_set_read_listed_and_removed(child: ThreadGroup) -> None:
    """Each of several attributes keeps its own value, and is gone once removed.

    Port of pidfs_xattr.set_get_list_xattr_multiple (pidfd_xattr_test.c), which looks for each name
    in the list and never for one that should not be there.
    """
    pidfd = child.pidfd()
    assert _all(pidfd) == {}
    wanted = {f"trusted.test{n}": b"value%d" % n for n in range(10)}
    for name, value in wanted.items():
        _set(pidfd, value, name)
    assert _all(pidfd) == wanted
    while wanted:
        name, _ = wanted.popitem()
        os.removexattr(pidfd.fileno(), name)
        assert _all(pidfd) == wanted
        with refused(errno.ENODATA):
            os.getxattr(pidfd.fileno(), name)


def test_value_is_not_cut_to_the_room_that_there_is(child: ThreadGroup) -> None:
    """A reader with too little room gets ERANGE and no part of the value.

    Beyond the C suite.
    """
    pidfd, value = child.pidfd(), b"ten bytes!"
    _set(pidfd, value)
    with refused(errno.ERANGE):
        fgetxattr(pidfd.fileno(), _NAME, len(value) - 1)
    assert fgetxattr(pidfd.fileno(), _NAME, len(value)) == value


def test_attributes_outlive_the_descriptors(child: ThreadGroup) -> None:
    """A pidfd that is opened when all are closed has the attributes again.

    Port of pidfs_xattr.set_get_list_xattr_persistent (pidfd_xattr_test.c), which sleeps 2 s in
    between; the last close takes the inode with it before close returns.
    """
    with child.pidfd() as first:
        _set(first, b"persistent value")
    assert _all(child.pidfd()) == {_NAME: b"persistent value"}


def test_attributes_outlive_the_process(child: ThreadGroup) -> None:
    """They can be read and set on a zombie, and as long as a pidfd is held after the reap.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    _set(pidfd, b"alive")
    child.kill()
    child.await_end()
    assert _all(child.pidfd()) == {_NAME: b"alive"}
    _set(pidfd, b"zombie")
    child.reap()
    assert _all(pidfd) == {_NAME: b"zombie"}
    _set(pidfd, b"reaped")
    assert _all(pidfd) == {_NAME: b"reaped"}


def test_exec_keeps_the_attributes(child: ThreadGroup) -> None:
    """They are the process's and not the program's.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    _set(pidfd, b"value")
    child.leader.exec()
    assert _all(child.pidfd()) == {_NAME: b"value"}


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(others.duplicated, id="duplicated"),
        pytest.param(
            others.opened_as_thread, id="thread-scoped, of the leader", marks=needs(PIDFD_THREAD)
        ),
        pytest.param(others.opened_by_itself, id="opened by the process itself, and sent"),
        pytest.param(others.by_handle, id="opened by its handle", marks=needs(FILE_HANDLE)),
        pytest.param(others.by_link, id="opened by its link in proc", marks=needs(REOPEN)),
    ],
)
def test_every_pidfd_of_the_process_has_them(child: ThreadGroup, other: Other) -> None:
    """What is set through one pidfd of a process is read through all.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    _set(other(child, pidfd), b"value")
    assert _all(pidfd) == {_NAME: b"value"}


def test_no_other_task_has_them(child: ThreadGroup, spawn: Callable[..., ThreadGroup]) -> None:
    """Neither a child nor a sibling nor a thread of the process has its attributes.

    Beyond the C suite.
    """
    _set(child.pidfd(), b"value")
    others = [
        child.leader.fork().pidfd(),
        spawn(role="sibling").pidfd(),
        child.spawn_thread().pidfd(PidfdFlag.THREAD),
    ]
    assert [_all(other) for other in others] == [{}, {}, {}]


@needs(SEND_SIGNAL)
@needs(CLONE3, SET_TID)
def test_recycled_pid_begins_without_any() -> None:
    """A new process of an old number does not inherit the attributes of the old one.

    Beyond the C suite.
    """
    maker = pid_1().leader
    found = []
    for _ in range(2):
        made = maker.call(clone.process_with_pid, 100)
        found.append(_all(made.pidfd))
        _set(made.pidfd, b"value")
        made.pidfd.send_signal(signal.SIGKILL)
        maker.call(reaping.reap, 100)
    assert found == [{}, {}]


def test_set_can_be_told_to_create_or_to_replace(child: ThreadGroup) -> None:
    """XATTR_REPLACE wants the attribute there (ENODATA), XATTR_CREATE wants it not (EEXIST).

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    with refused(errno.ENODATA):
        _set(pidfd, b"replaced", flags=os.XATTR_REPLACE)
    _set(pidfd, b"created", flags=os.XATTR_CREATE)
    with refused(errno.EEXIST):
        _set(pidfd, b"created again", flags=os.XATTR_CREATE)
    assert _all(pidfd) == {_NAME: b"created"}
    _set(pidfd, b"replaced", flags=os.XATTR_REPLACE)
    assert _all(pidfd) == {_NAME: b"replaced"}


@pytest.mark.parametrize("name", ["user.name", "security.name", "other.name"])
def test_other_kinds_of_attributes_are_refused(child: ThreadGroup, name: str) -> None:
    """Only trusted attributes are taken, the others are refused with EOPNOTSUPP.

    Beyond the C suite.
    """
    with refused(errno.EOPNOTSUPP):
        _set(child.pidfd(), b"value", name)
    assert _all(child.pidfd()) == {}


def test_attributes_need_a_privilege(child: ThreadGroup) -> None:
    """Without CAP_SYS_ADMIN attributes are neither set (EPERM) nor read (ENODATA) nor listed.

    Beyond the C suite.
    """
    pidfd = child.pidfd()
    _set(pidfd, b"value")
    thread = child.leader
    thread.call(drop_capabilities, EVERY_CAPABILITY)
    for call in (filesystem.set_attribute, filesystem.remove_attribute):
        with refused(errno.EPERM):
            thread.call(call, pidfd, _NAME)
    with refused(errno.ENODATA):
        thread.call(filesystem.get_attribute, pidfd, _NAME)
    assert thread.call(filesystem.list_attributes, pidfd) == []
    assert _all(pidfd) == {_NAME: b"value"}
