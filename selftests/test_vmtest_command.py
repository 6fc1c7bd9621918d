"""``python -m vmtest``: what it refuses before anything boots, and what it leaves."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from vmtest import __main__ as vmtest
from vmtest import machine
from vmtest.errors import UserError
from vmtest.guestrun import Settings
from vmtest.images import Kernel


@pytest.mark.parametrize("wrong", [UserError("virtme-ng cannot start it"), KeyboardInterrupt()])
def test_kernel_that_cannot_be_started_leaves_nothing(
    wrong: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the machines before it, which have not begun."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(machine, "find_qemu", lambda: "qemu")
    composed: list[object] = []

    def compose(kernel: Kernel, **_: object) -> list[str]:
        if composed:
            raise wrong
        composed.append(kernel)
        return ["true"]

    monkeypatch.setattr(machine, "compose", compose)
    kernel = Kernel(tmp_path / "vmlinuz", "6.12.1", "6.12", "x")
    with pytest.raises(type(wrong)):
        vmtest.run([kernel, kernel], Settings(kvm=False), 1)
    assert not list(tmp_path.iterdir())
