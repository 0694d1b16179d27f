"""Ids of released events: exact within the horizon, dropped by whole days, rebuilt from the seen topic.

An id is remembered in the transaction that releases its event. The seen topic holds one record per transaction (key:
day, value: 16-byte ids end to end), so a restart reads 16 bytes per event. The newest ids are in memory, the others in
files of the shard's folder (streams.shard.idfiles), four of a size merged into one and a past day's into one: memory
stays the same however many there are, and an id that is in none of them costs a read for each of some twenty files.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from streams.shard.idfiles import ID_SIZE, IdFile, IdSet, PackedIds, write

DAY_MS = 86_400_000
IN_MEMORY = 262_144  # ids of a shard after which they go to a file
MERGED = 4  # files of one size that become one
MAX_IDS = 32_000_000  # of a shard, at 16 bytes of disk each


@dataclass(slots=True)
class Filing:
    """Ids on their way into one file."""

    day: int
    sources: Sequence[IdSet]
    path: Path
    tier: int
    file: IdFile | None = None


class SeenIds:
    """Exact membership of 16-byte ids, grouped by day. Not thread-safe, but for `write` and `close`.

    `folder` is emptied: what is in it belonged to an earlier life. `horizon_days` must cover the longest automatic
    retry of the connected vendors. `max_ids` bounds the disk: beyond it the oldest day is dropped, never the newest,
    and the version gate alone decides about its events. Whoever adds ids must also see to `filing`.
    """

    def __init__(self, folder: Path, horizon_days: int = 7, max_ids: int = MAX_IDS, in_memory: int = IN_MEMORY) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self._folder = folder
        self._horizon = horizon_days
        self._max = max_ids
        self._in_memory = in_memory
        self._fresh: list[bytes] = []
        self._recent = PackedIds()
        self._day = 0
        self._full: list[tuple[int, PackedIds]] = []  # to be filed
        self._files: dict[int, list[IdFile]] = {}  # by day, the largest first
        self._all: list[PackedIds | IdFile] = [self._recent]  # where ids are looked for, the newest first
        self._names = 0
        self._writing = threading.Lock()
        self._closed = False
        self.dropped_days = 0

    def __len__(self) -> int:
        filed = sum(len(file) for files in self._files.values() for file in files)
        return len(self._recent) + sum(len(ids) for _, ids in self._full) + filed

    def __contains__(self, event_id: bytes) -> bool:
        for ids in self._all:  # noqa: SIM110 -- a generator costs more than the search
            if event_id in ids:
                return True
        return False

    def add(self, day: int, event_ids: Sequence[bytes]) -> None:
        """Remember ids that are to go into the next transaction."""
        self._fresh += event_ids
        self._pack(day, event_ids)

    def take(self) -> bytes:
        """The ids added since the last call, packed for the seen topic's record of a day."""
        packed = b"".join(self._fresh)
        self._fresh.clear()
        return packed

    def load(self, day: int, packed: bytes, today: int) -> None:
        """Take in one record of the seen topic, and file what is to be filed. Raises OSError."""
        if day > today - self._horizon:
            self._pack(day, list(ids_in(packed)))
            while (filing := self.filing()) is not None:
                self.write(filing)
                self.filed(filing)

    def close(self) -> None:
        """Let go of all files, and delete them; waits for a `write` that is under way."""
        with self._writing:
            self._closed = True
            for file in chain.from_iterable(self._files.values()):
                file.close()
            self._files.clear()
            shutil.rmtree(self._folder, ignore_errors=True)

    # -- filing

    def filing(self) -> Filing | None:
        """What is to be written next, or None: `write` it, then say `filed`; only one at a time."""
        self._forget()
        if self._full:
            day, ids = self._full[0]
            return self._filing(day, [ids], 0)
        for day, files in self._files.items():
            past = day < self._day
            several = files if past else files[-MERGED:]
            if len(several) > 1 and (past or (len(several) == MERGED and several[0].tier == several[-1].tier)):
                return self._filing(day, several, several[0].tier + 1)
        return None

    def write(self, filing: Filing) -> None:
        """Write the file, maybe in another thread, while ids are added and looked for. Raises OSError."""
        with self._writing:
            if not self._closed:
                self._folder.mkdir(parents=True, exist_ok=True)
                filing.file = write(filing.path, filing.sources, filing.tier)

    def filed(self, filing: Filing) -> None:
        """The file is written: it stands for what it was written from."""
        assert filing.file is not None
        files = self._files.setdefault(filing.day, [])
        if filing.tier == 0:
            del self._full[0]
        else:
            merged = [file for file in files if file in filing.sources]
            for file in merged:
                file.close()
            files[:] = [file for file in files if file not in merged]
        files.append(filing.file)
        files.sort(key=lambda file: -file.tier)
        self._arrange()

    def _filing(self, day: int, sources: Sequence[IdSet], tier: int) -> Filing:
        self._names += 1
        return Filing(day, tuple(sources), self._folder / f"{day}-{self._names}.ids", tier)

    def _pack(self, day: int, event_ids: Collection[bytes]) -> None:
        day = max(day, self._day)  # a clock that is behind: an id may well be kept longer
        if self._recent and (day != self._day or len(self._recent) >= self._in_memory):
            self._full.append((self._day, self._recent))
            self._recent = PackedIds()
            self._arrange()
        self._day = day
        self._recent.add_new(event_ids)

    def _forget(self) -> None:
        """Drop the days behind the horizon, and the oldest while there are too many ids."""
        for day in sorted(self._files):
            if day <= self._day - self._horizon or (day < self._day and len(self) > self._max):
                for file in self._files.pop(day):
                    file.close()
                self.dropped_days += 1
                self._arrange()

    def _arrange(self) -> None:
        filed = (file for _, files in sorted(self._files.items(), reverse=True) for file in reversed(files))
        self._all = [self._recent, *(ids for _, ids in self._full), *filed]


def ids_in(packed: bytes) -> Iterator[bytes]:
    """The 16-byte ids of one record of the seen topic."""
    return (packed[at : at + ID_SIZE] for at in range(0, len(packed), ID_SIZE))
