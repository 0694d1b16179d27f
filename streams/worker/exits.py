"""How a process ends when it must not go on."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

FENCED_OR_BROKEN = 70  # EX_SOFTWARE: restart me, the restart converges


MISCONFIGURED = 1  # what any command ends with when a person must change something first


def refuse(why: str) -> NoReturn:
    """End the process at once, as a wrong configuration does: nothing of what it began is finished."""
    sys.stderr.write(f"Error: {why}\n")
    sys.stderr.flush()
    os._exit(MISCONFIGURED)


def die(why: str) -> NoReturn:
    """End the process at once: no hook, no flush, no retry in place may run after state has become doubtful."""
    sys.stderr.write(f"FATAL {why}\n")
    sys.stderr.flush()
    os._exit(FENCED_OR_BROKEN)
