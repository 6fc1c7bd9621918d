"""What is looked at before a run, since its work would be lost if it came out afterwards."""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path

from vmtest.errors import UserError


def count(text: str) -> int:
    """The number above 0 that an option is given."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(text)


def seconds(text: str) -> float:
    """The time above 0 that an option is given, in seconds."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def file(path: Path) -> None:
    """Refuse a file that cannot be written."""
    if path.is_dir():
        why = "it is a directory"
    elif not path.parent.is_dir():
        why = f"there is no directory {path.parent}"
    elif not os.access(path if path.exists() else path.parent, os.W_OK):
        why = "no permission"
    else:
        return
    raise UserError(f"{path} cannot be written: {why}")


def directory(path: Path, what: str) -> None:
    """Make a directory for `what` where there is none, or refuse it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path} is no directory for {what}: {error.strerror}") from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise UserError(f"{path} is no directory for {what}: no permission")
