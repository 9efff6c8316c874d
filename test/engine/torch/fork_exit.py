"""How a forked worker ends that calls `sys.exit`: as the interpreter would."""

from __future__ import annotations

import sys


def exit_code(end: SystemExit) -> int:
    """Nothing is 0, a number is itself, anything else is said on standard error and is 1."""
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code & 0xFF
    print(end.code, file=sys.stderr)
    return 1
