"""The namespaces of a process, against its end."""

from __future__ import annotations

import errno
from collections.abc import Callable

from helpers import features_namespaces, features_process, namespaces, race_rules
from helpers.gating import needs
from helpers.race_namespaces import RETURN, GetNamespace, SetNs, end_in_own_namespaces
from helpers.races import Race

pytestmark = needs(features_process.PID_NAMESPACE, features_namespaces.ISOLATION)


@needs(features_namespaces.IOCTLS, features_namespaces.KIND[namespaces.UTS])
def test_a_process_that_ends_gives_its_namespace_or_is_not_found(
    race: Callable[..., Race],
) -> None:
    """A namespace is the process's own until ESRCH; no other is given and no other error.

    Beyond the C suite.
    """
    played = race(end_in_own_namespaces, GetNamespace, flags=features_process.alone())
    played.assert_each(race_rules.is_its_namespace_or((errno.ESRCH,)))


@needs(
    features_namespaces.SETNS,
    features_namespaces.KIND[namespaces.UTS],
    features_namespaces.KIND[namespaces.IPC],
    RETURN,
)
def test_namespaces_of_a_process_that_ends_are_entered_all_or_none(
    race: Callable[..., Race],
) -> None:
    """Two kinds are entered at once until ESRCH; no attempt ends half way.

    Beyond the C suite.
    """
    played = race(end_in_own_namespaces, SetNs, flags=features_process.alone())
    played.assert_each(race_rules.enters_both_or((errno.ESRCH,)))
