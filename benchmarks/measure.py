"""CPU and memory of process trees from outside, and the broker's."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU-seconds (user + system) and resident MiB of a process tree at one moment."""

    cpu: float
    rss_mib: float


def usage(pid: int) -> Usage:
    """Of a process and its living descendants."""
    cpu = rss = 0.0
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                cpu += times.user + times.system
                rss += process.memory_info().rss / (1 << 20)
    return Usage(cpu, rss)


def listener(port: int) -> int | None:
    """The process that listens on a local TCP port: the broker, to charge its CPU."""
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            return int(connection.pid) if connection.pid else None
    return None


def per_million(seconds: float, count: int) -> float:
    """CPU-seconds per million of something."""
    return round(seconds / count * 1e6, 2) if count else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of them lies, to a tenth; nan without values."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else float("nan")
