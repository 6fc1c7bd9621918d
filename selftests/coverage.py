"""Which test here carries which test of the kernel's own suite, from the docstrings.

``python -m selftests.coverage > docs/coverage.md`` makes the table anew.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs" / "coverage.md"

UPSTREAM = {
    "pidfd_test.c": """poll_exec poll_leader_exit send_signal_syscall_support
        send_signal_simple_success send_signal_exited_fail send_signal_recycled_pid_fail""",
    "pidfd_fdinfo_test.c": "fdinfo_nspid dead_fdinfo",
    "pidfd_open_test.c": "pid_minus_one flags_one open_self get_info_self",
    "pidfd_poll_test.c": "poll_killed_children",
    "pidfd_wait.c": "wait_simple wait_states wait_nonblock",
    "pidfd_getfd_test.c": "disable_ptrace fetch_fd test_unknown_fd flags_set no_strange_EBADF",
    "pidfd_setns_test.c": """setns_einval invalid_flags pidfd_exited_child
        pidfd_incremental_setns nsfd_incremental_setns pidfd_derived_nsfd_incremental_setns
        pidfd_one_shot_setns no_foul_play""",
    "pidfd_file_handle_test.c": """file_handle_same_pidns file_handle_child_pidns
        file_handle_foreign_pidns pid_has_exited pid_has_been_reaped open_by_handle_at_valid_flags
        open_by_handle_at_invalid_flags lookup_must_fail invalid_name_to_handle_at_flags
        valid_name_to_handle_at_flags decode_purely_based_on_file_handle""",
    "pidfd_bind_mount.c": "bind_mount reopen bind_mount_reopen",
    "pidfd_info_test.c": """sigkill_exit sigkill_reaped success_exit success_reaped
        success_reaped_poll thread_group thread_group_exec thread_group_exec_thread
        supported_mask_field supported_mask_with_other_fields""",
    "pidfd_xattr_test.c": "set_get_list_xattr_multiple set_get_list_xattr_persistent",
    "pidfd_setattr_test.c": "no_chown no_chmod no_exec",
    "pidfd_autoreap_test.c": """autoreap_without_pidfd autoreap_rejects_exit_signal
        autoreap_rejects_parent autoreap_rejects_thread autoreap_basic autoreap_signaled
        autoreap_reparent autoreap_multithreaded autoreap_no_inherit nnp_sets_no_new_privs
        nnp_rejects_thread autoreap_no_new_privs_unset autokill_basic autokill_requires_pidfd
        autokill_requires_autoreap autokill_rejects_thread autokill_pidfd_open_no_effect
        autokill_requires_cap_sys_admin autokill_without_nnp_with_cap""",
}
"""The tests of ``tools/testing/selftests/pidfd`` in v7.3, by file. Those of two programs have no
names there and are named here."""

_PORT = re.compile(r"Ports? of (.*?)\((?:mm/)?(\w+\.c)\)(.*?)(?=Ports? of |$)")


class Port(NamedTuple):
    """A test here that says whose rule it carries, and what it does beyond."""

    node: str
    names: frozenset[str]
    file: str
    mended: str


class Docstring(NamedTuple):
    """A test and its docstring in one line."""

    node: str
    text: str


def docstrings() -> Iterator[Docstring]:
    """Of all tests against the kernel."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                text = " ".join((ast.get_docstring(node) or "").split())
                yield Docstring(f"{path.relative_to(ROOT)}::{node.name}", text)


def ports() -> Iterator[Port]:
    """Every test that says so."""
    for test in docstrings():
        for names, file, rest in _PORT.findall(test.text):
            found = frozenset(re.findall(r"[A-Za-z_]\w+", names))
            yield Port(test.node, found, file, rest.strip(" ,:;."))


def carriers(file: str, name: str, known: list[Port]) -> list[Port]:
    """The tests that carry one of the suite's; its name may have ``test_pidfd_`` before it."""
    names = {name, f"test_{name}", f"test_pidfd_{name}"}
    return [port for port in known if port.file == file and port.names & names]


def render() -> str:
    """The table as Markdown."""
    known = list(ports())
    lines = [
        "# Coverage of the kernel's own suite",
        "",
        "Every test of `tools/testing/selftests/pidfd` in v7.3, the tests here that carry its",
        "rule, and what they mend. Made by `python -m selftests.coverage > docs/coverage.md`.",
        "",
        "| upstream | here | mended |",
        "|---|---|---|",
    ]
    for file, names in UPSTREAM.items():
        for name in names.split():
            found = carriers(file, name, known)
            nodes = "<br>".join(f"`{port.node}`" for port in found)
            mended = "; ".join(dict.fromkeys(port.mended for port in found if port.mended))
            lines.append(f"| {file}: {name} | {nodes} | {mended} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
