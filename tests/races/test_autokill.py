"""The last close of a pidfd that kills, against others who have it open."""

from __future__ import annotations

import errno
from collections.abc import Callable

from helpers import features_process, race_rules
from helpers.features_autoreap import AUTOKILL
from helpers.gating import needs
from helpers.race_autokill import KILLED, Copy, close_against_copies, close_against_heir
from helpers.race_observers import Poll
from helpers.races import Race

pytestmark = needs(features_process.CLONE3, AUTOKILL)


def test_a_child_lives_while_someone_has_a_copy(race: Callable[..., Race]) -> None:
    """Who has copied the pidfd in time sees the child alive until it closes the copy.

    Beyond the C suite.
    """
    played = race(close_against_copies, Copy, Copy)
    played.assert_each(race_rules.lives_while_copied(errno.EBADF))


def test_the_last_of_several_closes_kills(race: Callable[..., Race]) -> None:
    """Whoever is last, the child is killed.

    Beyond the C suite, where one process closes one descriptor.
    """
    race(close_against_copies, Copy, Copy).assert_noted(KILLED)


def test_the_end_of_an_heir_and_a_close_kill(race: Callable[..., Race]) -> None:
    """A copy that was inherited counts, and goes with its process; then the child is killed.

    Beyond the C suite.
    """
    race(close_against_heir, Poll).assert_noted(KILLED)
