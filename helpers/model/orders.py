"""What the model asks of children, in a module that costs them little to import."""

from __future__ import annotations

import ctypes

from helpers import syscalls
from helpers.info import PidfdInfo, decode_info
from helpers.pidfd import Pidfd
from helpers.uapi import InfoMask, PidfdInfoStruct, pidfd_get_info

_GET_INFO = pidfd_get_info()


def info(pidfd: Pidfd, asked: InfoMask) -> PidfdInfo:
    """``PIDFD_GET_INFO``; raises ``OSError``."""
    raw = PidfdInfoStruct(mask=asked)
    syscalls.ioctl(pidfd.fileno(), _GET_INFO, ctypes.addressof(raw))
    return decode_info(raw)


def give_back(pidfd: Pidfd) -> Pidfd:
    """Send a descriptor back that came with the order."""
    return pidfd.dup()


def prepare() -> None:
    """Do nothing: who is asked for it has imported this module."""
