"""Features of rights: other users' ids, programs and processes; see `helpers.features`."""

from __future__ import annotations

import errno
import os

from helpers import credentials, features_process, process, procfs, setuid
from helpers.features import Feature, Forbidden, Present, Verdict, where
from helpers.kernel import Version

# Not root, or no such user in this user namespace; or the program may not be executed where it is.
_FORBIDDEN = (errno.EPERM, errno.EINVAL, errno.EACCES)


def _probe_other_ids() -> Verdict:
    child, taken = process.spawn(role="probe"), (credentials.USERS, credentials.GROUPS)
    try:
        child.leader.call(credentials.take, *taken)
    except OSError as error:  # not root, without CAP_SETUID, or in a small user namespace
        return Forbidden(f"a child cannot take them ({error.strerror})")
    if procfs.ids(child.pid) != taken:  # of which the kernel gives no errno
        return Forbidden("a child cannot take other filesystem ids")
    obstacle = credentials.obstacle_to_end(child.pid)
    return Forbidden(obstacle) if obstacle else Present()


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


def _probe_other_process() -> Verdict:
    target = features_process.ordinary_user()
    try:
        os.readlink(f"/proc/{target.pid}/ns/mnt")
    except PermissionError as error:
        return Forbidden(f"its namespaces are not to be seen ({error.strerror}): no CAP_SYS_PTRACE")
    return Present()


OTHER_IDS = Feature("other user and group ids for a child", Version(2, 6), _probe_other_ids)
SETUID_EXEC = Feature("a set-user-ID program", Version(2, 6), _probe_setuid)
OTHER_PROCESS = Feature(
    "rights over another user's process",
    Version(2, 6),
    where(features_process.USER_CHANGE, _probe_other_process),
)
