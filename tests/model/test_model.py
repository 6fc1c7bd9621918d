"""The kernel against an executable specification, `helpers.model.spec`."""

from __future__ import annotations

from collections.abc import Callable

from helpers import features, features_process
from helpers.gating import needs
from helpers.model.moves import RULES

pytestmark = needs(
    features.PIDFD_THREAD,
    features_process.SEND_SIGNAL,
    features_process.WAIT,
    features_process.POLL_HUP,
    features.INFO_EXIT,
    features.DELAYED_LEADER,
)

Search = Callable[..., None]


def test_every_pidfd_answers_as_specified_whatever_tasks_do(assert_as_specified: Search) -> None:
    """After every step poll, PIDFD_GET_INFO, waitid and fdinfo of all pidfds are as specified.

    Beyond the C suite.
    """
    assert_as_specified(*(name for name in RULES if name != "spawn_namespace"))


@needs(features_process.PID_NAMESPACE)
def test_every_pidfd_answers_as_specified_in_pid_namespaces(assert_as_specified: Search) -> None:
    """The same where some processes are in pid namespaces of their own, which end with them.

    Beyond the C suite.
    """
    assert_as_specified(*RULES)
