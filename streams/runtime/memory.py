"""How the process gets and keeps memory."""

from __future__ import annotations

import contextlib
import ctypes

_M_MXFAST, _M_ARENA_MAX = 1, -8  # glibc, malloc.h


def tune_malloc(arenas: int = 2) -> None:
    """Set glibc's allocator up for what flows through here: blocks of some hundred bytes that one thread takes and
    another gives back, and fetches of 256 KiB. Without effect where there is no glibc.

    All threads share so many heaps; by default each thread gets one of its own, which keeps what the thread once used:
    with the threads of a few shards that is a hundred MiB. And small blocks are merged when they are given back, not
    all of them each time a large one is, which took 1 to 4 % of the CPU of a backlog.
    """
    with contextlib.suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, arenas)
        libc.mallopt(_M_MXFAST, 0)
