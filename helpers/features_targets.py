"""Features without which a kind of descriptor, or of advice, cannot be had; see `helpers.features`.

`kinds` makes the parameters of the tests that refuse each kind in place of a pidfd.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Collection
from functools import partial

import pytest

from helpers import memory, targets
from helpers.features import Feature, Verdict, errno_of, judge
from helpers.gating import needs
from helpers.kernel import Version
from helpers.pidfd import Pidfd
from helpers.targets import NotAPidfd


def _probe_kind(kind: NotAPidfd) -> Verdict:
    error = errno_of(lambda: targets.make(kind).close())
    return judge(error, kind.value, (errno.ENOSYS,))


def _probe_read_ahead() -> Verdict:
    with Pidfd.open(os.getpid()) as pidfd:
        number = pidfd.fileno()
        error = errno_of(lambda: memory.drop_first_page(number, advice=mmap.MADV_WILLNEED))
    return judge(error, "process_madvise(MADV_WILLNEED)", (errno.EBADF, errno.ENOSYS))


def _feature(kind: NotAPidfd, option: str) -> Feature:
    return Feature(kind.value, Version(2, 6), partial(_probe_kind, kind), (option,))


READ_AHEAD = Feature(
    "advice to read memory in that no file holds", Version(5, 10), _probe_read_ahead, ("SWAP",)
)
_OPTIONAL = {
    NotAPidfd.EVENTFD: _feature(NotAPidfd.EVENTFD, "EVENTFD"),
    NotAPidfd.TIMERFD: _feature(NotAPidfd.TIMERFD, "TIMERFD"),
    NotAPidfd.SIGNALFD: _feature(NotAPidfd.SIGNALFD, "SIGNALFD"),
    NotAPidfd.INOTIFY: _feature(NotAPidfd.INOTIFY, "INOTIFY_USER"),
}


def kinds(*further: tuple[NotAPidfd, Feature], without: Collection[NotAPidfd] = ()) -> list[object]:
    """A parameter for each kind of descriptor but those `without`, with what it needs.

    `further` adds needs that only the test at hand has.
    """
    wanted = {**_OPTIONAL, **dict(further)}
    return [
        pytest.param(kind, id=kind.value, marks=[needs(wanted[kind])] if kind in wanted else [])
        for kind in NotAPidfd
        if kind not in without
    ]
