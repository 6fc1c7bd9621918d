"""What the kernel headers say of capabilities; see `helpers.uapi`."""

from __future__ import annotations

# include/uapi/linux/capability.h
CAP_SYS_PTRACE = 19
CAP_SYS_NICE = 23
LINUX_CAPABILITY_VERSION_3 = 0x20080522
