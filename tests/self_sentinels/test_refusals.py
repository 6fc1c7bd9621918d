"""Calls that must not take a sentinel; each takes a real pidfd of the caller instead."""

from __future__ import annotations

import os

import pytest

from helpers import descriptor_calls as calls
from helpers import features, features_getfd, features_namespaces
from helpers.expect import answer
from helpers.gating import needs
from helpers.pidfd import Pidfd
from helpers.sentinels import Call, Sentinel, answers_to_caller
from helpers.syscalls import poll
from helpers.uapi import INT_MAX, PollEvent

pytestmark = needs(features.PIDFD_OPEN, features.SELF_SENTINELS)


@pytest.mark.parametrize(
    ("call", "to_pidfd"),
    [
        pytest.param(
            calls.getfd, "done", id="pidfd_getfd", marks=needs(features_getfd.PIDFD_GETFD)
        ),
        pytest.param(calls.setns, "EINVAL", id="setns", marks=needs(features_namespaces.SETNS)),
        pytest.param(calls.get_info, "done", id="GET_INFO", marks=needs(features.GET_INFO)),
        pytest.param(
            calls.get_namespace,
            "done",
            id="GET_MNT_NAMESPACE",
            marks=needs(features_namespaces.IOCTLS),
        ),
        pytest.param(calls.add_to_epoll, "done", id="epoll_ctl"),
        pytest.param(calls.send_as_rights, "done", id="SCM_RIGHTS"),
        pytest.param(calls.duplicate, "done", id="dup"),
        pytest.param(calls.stat, "done", id="fstat"),
        pytest.param(calls.open_beneath, "ENOTDIR", id="openat"),
    ],
)
def test_calls_on_an_open_file_refuse_a_sentinel(
    call: Call, to_pidfd: str, sentinel: Sentinel
) -> None:
    """A sentinel is no descriptor: what works on the file of a pidfd gives EBADF.

    Beyond the C suite, which never shows a sentinel where it is not taken.
    """
    due = {str(sentinel): "EBADF", "a pidfd of the caller": to_pidfd}
    assert answers_to_caller(call, sentinel) == due


def test_waitid_refuses_a_sentinel(sentinel: Sentinel) -> None:
    """A negative number for P_PIDFD gives EINVAL, where a pidfd of the caller gives ECHILD.

    Nobody is a child of itself. Beyond the C suite.
    """
    due = {str(sentinel): "EINVAL", "a pidfd of the caller": "ECHILD"}
    assert answers_to_caller(calls.wait, sentinel) == due
    assert answer(calls.wait, INT_MAX) == "EBADF"


@pytest.mark.parametrize("call", [calls.read_fdinfo, calls.read_link], ids=["fdinfo", "fd"])
def test_proc_lists_no_sentinel(call: Call, sentinel: Sentinel) -> None:
    """What is no descriptor has no entry in /proc/self/fdinfo and /proc/self/fd: ENOENT.

    Beyond the C suite.
    """
    due = {str(sentinel): "ENOENT", "a pidfd of the caller": "done"}
    assert answers_to_caller(call, sentinel) == due


def test_poll_passes_over_a_sentinel(sentinel: Sentinel) -> None:
    """``poll(2)`` ignores negative numbers: no event, not even POLLNVAL.

    A number that could be a descriptor and is not one gives POLLNVAL. Beyond the C suite.
    """
    with Pidfd.open(os.getpid()) as pidfd:
        due = {
            sentinel.number: PollEvent.NONE,
            pidfd.fileno(): PollEvent.NONE,
            INT_MAX: PollEvent.NVAL,
        }
        found = poll(dict.fromkeys(due, int(PollEvent.IN)), timeout_ms=0)
    assert {number: PollEvent(events) for number, events in found.items()} == due
