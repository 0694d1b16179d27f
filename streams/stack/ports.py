"""Which TCP ports are free, which are taken and by whom."""

from __future__ import annotations

import random
import socket

import psutil

from streams.stack.errors import StackError
from streams.stack.layout import HOST

# Below the range from which the systems take ports for outgoing connections (Linux from 32768, macOS from 49152):
# otherwise, while a killed broker is down, a reconnecting client may be given the broker's own port and keep it.
FIRST, LAST = 20_000, 32_000

# Not the shared generator: test plugins seed that one, and two runs with one seed would choose the same ports.
_random = random.SystemRandom()


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of a former server that linger in TIME_WAIT are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """`count` different free ports, chosen at random so that stacks started side by side do not meet."""
    chosen: list[int] = []
    for port in _random.sample(range(FIRST, LAST), k=LAST - FIRST):
        if is_free(port):
            chosen.append(port)
            if len(chosen) == count:
                return chosen
    raise StackError(f"no {count} free ports between {FIRST} and {LAST}")


def holder(port: int) -> str | None:
    """Who listens on `port`, as "pid 12 (java)"; None when the system does not tell."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,)
            if listens and connection.pid:
                return f"pid {connection.pid} ({psutil.Process(connection.pid).name()})"
    except (psutil.Error, OSError):  # macOS asks for root
        return None
    return None


def accepts(port: int, *, host: str = HOST, timeout: float = 1.0) -> bool:
    """Whether someone answers on `port`."""
    try:
        with socket.create_connection((host, port), timeout=timeout):
            return True
    except OSError:
        return False
