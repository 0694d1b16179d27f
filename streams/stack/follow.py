"""Following logs as they grow, across restarts of the servers that write them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

POLL_SECONDS = 0.2


class Tail:
    """The lines one log gains. A restarted server begins a new file under the old name; it is read from its start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inode, self._offset = self._now()
        self._rest = b""

    def _now(self) -> tuple[int, int]:
        try:
            stat = os.stat(self._path)
        except FileNotFoundError:
            return 0, 0
        return stat.st_ino, stat.st_size

    def lines(self) -> list[str]:
        """Whole lines that arrived since the last call."""
        inode, size = self._now()
        if inode != self._inode or size < self._offset:
            self._inode, self._offset, self._rest = inode, 0, b""
        if size == self._offset:
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            chunk = file.read()
        self._offset += len(chunk)
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        return [line.decode("utf-8", errors="replace") for line in whole]


def follow(logs: dict[str, Path]) -> Iterator[tuple[str, str]]:
    """Name and line, endlessly."""
    tails = {name: Tail(path) for name, path in logs.items()}
    while True:
        for name, tail in tails.items():
            for line in tail.lines():
                yield name, line
        time.sleep(POLL_SECONDS)
