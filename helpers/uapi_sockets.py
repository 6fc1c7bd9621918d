"""What the kernel headers say of sockets; see `helpers.uapi`."""

from __future__ import annotations

from helpers.uapi import MACHINE

# include/uapi/asm-generic/socket.h, which alpha and MIPS repeat; arch/{parisc,sparc}/include/uapi/
# asm/socket.h have numbers of their own. All since v6.5.
if MACHINE.startswith("parisc"):
    SO_PASSPIDFD, SO_PEERPIDFD = 0x404A, 0x404B
elif MACHINE.startswith("sparc"):
    SO_PASSPIDFD, SO_PEERPIDFD = 0x55, 0x56
else:
    SO_PASSPIDFD, SO_PEERPIDFD = 76, 77

SCM_PIDFD = 4
"""``include/linux/socket.h``; v6.5."""
