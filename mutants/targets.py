"""Where mutants without a chooser are made: the functions that are about pidfds.

Each has the folders of tests/ to begin with; what these do not kill meets all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mutants import catalogue, csource, operators
from mutants.catalogue import Mutant
from mutants.schemata import Edit

_PIDFS = "fs/pidfs.c"
_FIRST = ("poll", "open", "pidfd_info_exit")

# Of fs/pidfs.c all functions, but those that run while the kernel boots, which no switch that is
# thrown later can reach, and those for 32 bits.
_LEFT_OUT = {"pidfs_init", "pidfs_init_fs_context", "pidfs_ino", "pidfs_gen", "pidfs_alloc_ino"}
_FOLDERS: dict[str, tuple[str, ...]] = {
    "pidfd_show_fdinfo": ("fdinfo",),
    "pidfd_poll": ("poll", "multithread_exec"),
    "pid_in_current_pidns": ("pidfd_info_exit",),
    "pidfs_coredump_mask": ("coredump",),
    "pidfs_coredump": ("coredump",),
    "pidfd_info": ("get_info", "pidfd_info_exit", "coredump"),
    "pidfs_ioctl_valid": ("get_info", "namespaces"),
    "pidfd_ioctl": ("namespaces", "get_info", "identity"),
    "pidfs_file_release": ("autoreap",),
    "pidfs_exit": ("pidfd_info_exit",),
    "pidfs_setattr": ("setattr",),
    "pidfs_getattr": ("identity",),
    "pidfs_listxattr": ("xattr",),
    "pidfs_xattr_get": ("xattr",),
    "pidfs_xattr_set": ("xattr",),
    "pidfs_dname": ("identity",),
    "pidfs_encode_fh": ("file_handles",),
    "pidfs_ino_get_pid": ("file_handles",),
    "pidfs_fh_to_dentry": ("file_handles",),
    "pidfs_export_permission": ("file_handles",),
    "pidfs_export_open": ("file_handles",),
    "pidfs_init_inode": ("identity", "setattr"),
    "pidfs_register_pid_gfp": ("sockets", "open"),
}
_ELSEWHERE: dict[str, dict[str, tuple[str, ...]]] = {
    "kernel/pid.c": {
        "pidfd_get_pid": ("wait", "self_sentinels"),
        "pidfd_get_task": ("self_sentinels",),
        "pidfd_create": ("open",),
        "pidfd_open": ("open",),
        "__pidfd_fget": ("getfd",),
        "pidfd_getfd": ("getfd",),
    },
    "kernel/fork.c": {"pidfd_prepare": ("open", "clone")},
    "kernel/signal.c": {
        "do_notify_pidfd": ("poll",),
        "access_pidfd_pidns": ("send_signal",),
        "pidfd_to_pid": ("send_signal",),
        "do_pidfd_send_signal": ("send_signal", "self_sentinels"),
        "pidfd_send_signal": ("send_signal", "self_sentinels"),
    },
    "kernel/nsproxy.c": {"validate_nsset": ("namespaces",)},
    "kernel/exit.c": {"kernel_waitid": ("wait",)},
    "mm/madvise.c": {"process_madvise": ("self_sentinels",)},
    "mm/oom_kill.c": {"process_mrelease": ("self_sentinels",)},
    "net/core/scm.c": {"scm_pidfd_recv": ("sockets",)},
    "net/unix/af_unix.c": {"prepare_peercred": ("sockets",), "unix_maybe_add_creds": ("sockets",)},
}


def functions(source: Path) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """File, function, folders to begin with."""
    text = (source / _PIDFS).read_text(encoding="utf-8")
    names = dict.fromkeys(function.name for function in csource.functions(text))
    for name in names:
        if name not in _LEFT_OUT:
            yield _PIDFS, name, _FOLDERS.get(name, _FIRST)
    for file, known in _ELSEWHERE.items():
        for name, folders in known.items():
            yield file, name, folders


def automatic(
    source: Path, first: int, chosen: list[tuple[Mutant, Edit]]
) -> list[tuple[Mutant, Edit]]:
    """What the operators make, numbered from `first` on, without what someone chose anyway."""
    taken = {(m.file, edit.span, "".join(edit.broken.split())) for m, edit in chosen}
    found: list[tuple[Mutant, Edit]] = []
    counts: dict[str, int] = {}
    for file, function, folders in functions(source):
        text = (source / file).read_text(encoding="utf-8")
        for change in operators.changes(text, function):
            if (file, change.span, "".join(change.broken.split())) in taken:
                continue
            stem = f"{function}: {change.operator}"
            counts[stem] = number = counts.get(stem, 0) + 1
            mutant = catalogue.Mutant(
                name=f"{stem} {number}", file=file, function=function,
                rule=_words(text[slice(*change.span)]), tests=folders, text=change.broken,
                kind=change.kind, operator=change.operator,
                line=text.count("\n", 0, change.span.start) + 1,
            )  # fmt: skip
            found.append((mutant, operators.edit(change, first + len(found))))
    return found


def _words(text: str) -> str:
    said = " ".join(csource.without_comments(text).split())
    return said if len(said) <= 80 else f"{said[:77]}..."
