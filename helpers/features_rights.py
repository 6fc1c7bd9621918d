"""Features of rights by other users' programs; see `helpers.features`."""

from __future__ import annotations

import errno

from helpers import procfs, setuid
from helpers.features import Feature, Forbidden, Present, Verdict
from helpers.kernel import Version

# Not root, or no such user in this user namespace; or the program may not be executed where it is.
_FORBIDDEN = (errno.EPERM, errno.EINVAL, errno.EACCES)


def _probe_setuid() -> Verdict:
    try:
        scene = setuid.scene()
        before = procfs.ids(scene.target.pid)[0].effective
        scene.run()
    except OSError as error:
        if error.errno not in _FORBIDDEN:
            raise
        return Forbidden(f"a set-user-ID program cannot be made and executed ({error})")
    if procfs.ids(scene.target.pid)[0].effective == before:
        return Forbidden(
            "the bit is ignored: no_new_privs is set, or temporary files are mounted nosuid"
        )
    return Present()


SETUID_EXEC = Feature("a set-user-ID program", Version(2, 6), _probe_setuid)
