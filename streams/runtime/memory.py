"""What the process keeps of the memory it has used."""

from __future__ import annotations

import contextlib
import ctypes

_M_ARENA_MAX = -8  # glibc, malloc.h


def few_arenas(most: int = 2) -> None:
    """Let all threads share so many of glibc's heaps. By default each thread gets one of its own, which keeps what the
    thread once used: with the threads of a few shards that is a hundred MiB. Without effect where there is no glibc."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, most)
