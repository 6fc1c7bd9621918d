"""Children that are being made when pytest-timeout or Ctrl-C ends the test: nobody knows them."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from helpers import process, procfs
from helpers.deadline import Deadline, wait_until
from helpers.process import ThreadGroup
from helpers.wire import Channel
from helpers.zygote import Zygote


@pytest.mark.parametrize("wait", ["the zygote to make a child", "a new child to run"])
def test_interrupted_spawn_leaves_no_child(
    wait: str, spawn: Callable[..., ThreadGroup], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is ours from when the zygote has made it, whether we have been told its pid or not."""
    zygote = process.zygote()
    zygote.drop_ahead()
    receive, before = Channel.receive_within, procfs.children()

    def interrupted(channel: Channel, deadline: Deadline, what: str) -> object:
        if what == wait:
            monkeypatch.undo()
            wait_until(lambda: procfs.children() != before, "the child")
            signal.raise_signal(signal.SIGINT)
        return receive(channel, deadline, what)

    monkeypatch.setattr(Channel, "receive_within", interrupted)
    with pytest.raises(KeyboardInterrupt):
        spawn()
    left = zygote.strangers(procfs.children())
    assert left == set()


def test_interrupted_start_of_the_zygote_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The interrupt comes when we know what was started."""
    process.stop_zygote()
    order = Zygote.order_ahead

    def interrupted(zygote: Zygote) -> None:
        monkeypatch.undo()
        signal.raise_signal(signal.SIGINT)
        order(zygote)

    monkeypatch.setattr(Zygote, "order_ahead", interrupted)
    with pytest.raises(KeyboardInterrupt):
        process.zygote()
    assert process.zygote().strangers(procfs.children()) == set()
