"""fanotify(7) tells by a pidfd who caused an event, where FAN_REPORT_PIDFD asks for it."""

from __future__ import annotations

import os

import pytest

from helpers import fanotify, fdinfo, features, features_fanotify, kernel
from helpers.fanotify import Group
from helpers.gating import needs
from helpers.info import Exited
from helpers.process import ThreadGroup
from helpers.uapi import InfoMask, PidfdFlag
from helpers.uapi_files import FAN_REPORT_TID

pytestmark = needs(features_fanotify.PIDFDS)


@pytest.mark.parametrize("thread", [False, True], ids=["leader", "subthread"])
def test_event_brings_the_process_that_caused_it(
    child: ThreadGroup, path: str, thread: bool
) -> None:
    """The pidfd is of the whole process, whichever thread acted, and is closed on exec.

    Beyond the C suite.
    """
    group = Group.listen(path)
    (child.spawn_thread() if thread else child.leader).call(fanotify.open_and_close, path)
    event = group.take()
    assert event.pidfd is not None
    assert (event.pid, fdinfo.shown(event.pidfd).pid) == (child.pid, f"{child.pid}")
    assert (event.pidfd.status_flags, event.pidfd.closes_on_exec) == (os.O_RDWR, True)


@needs(features_fanotify.THREAD_PIDFDS)
def test_event_brings_the_thread_that_caused_it(child: ThreadGroup, path: str) -> None:
    """With FAN_REPORT_TID it is a thread's pidfd.

    17171128513b ("fanotify: report thread pidfds for FAN_REPORT_TID"), v7.2; the two flags were
    refused together before. Beyond the C suite.
    """
    group, thread = Group.listen(path, FAN_REPORT_TID), child.spawn_thread()
    thread.call(fanotify.open_and_close, path)
    event = group.take()
    assert event.pidfd is not None
    assert (event.pid, fdinfo.shown(event.pidfd).pid) == (thread.tid, f"{thread.tid}")
    assert event.pidfd.status_flags == os.O_RDWR | PidfdFlag.THREAD


@needs(features.INFO_EXIT)
def test_event_of_a_reaped_process_brings_its_end(child: ThreadGroup, path: str) -> None:
    """An event outlives who caused it, and brings a pidfd with the exit information.

    82c6dd20479b ("fanotify: allow reporting pidfds for reaped tasks"), v7.2; FAN_NOPIDFD came in
    place of the pidfd before. Beyond the C suite.
    """
    group = Group.listen(path)
    child.leader.call(fanotify.open_and_close, path)
    child.leader.exit_group(7)
    child.reap()
    event = group.take()
    if event.pidfd is None:
        assert kernel.running() < (7, 2), "FAN_NOPIDFD came in place of the pidfd"
    else:
        assert event.pidfd.info(InfoMask.EXIT).exit == Exited(7)
