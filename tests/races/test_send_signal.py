"""``pidfd_send_signal(2)`` against the reuse of a pid."""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable

from helpers import features, features_process, race_rules, scenes
from helpers.gating import needs
from helpers.info import Killed
from helpers.race_observers import SendSignal
from helpers.races import Race

pytestmark = needs(features.PIDFD_OPEN, features_process.SEND_SIGNAL, features_process.LAST_PID)


def test_a_signal_never_reaches_the_process_that_has_the_pid_next(
    race: Callable[..., Race],
) -> None:
    """A pidfd stays with its process: what is sent while another gets its pid does not kill that.

    Beyond the C suite, whose test of a recycled pid skips itself since v6.14.
    """
    played = race(scenes.pid_is_reused, SendSignal, flags=features_process.alone())
    played.assert_noted(Killed(signal.SIGKILL))


def test_a_process_that_is_gone_stays_gone(race: Callable[..., Race]) -> None:
    """Signals are sent until the reap, and refused with ESRCH from then on.

    Beyond the C suite.
    """
    played = race(scenes.pid_is_reused, SendSignal, flags=features_process.alone())
    played.assert_each(race_rules.is_sent_or((errno.ESRCH,)))
