"""What a shard was working on when its process died, so that a record which kills the interpreter is found.

A mark in a small file says which records are under way. It costs two writes per batch, is never flushed and needs not
be: it has to survive the process, not the machine. A mark that is found at the next start means that the process died
in the middle of `process`: by a kill, or by one of these records. They are then processed alone, one by one, each under
a mark of its own; a record that is found under way alone for the second time is guilty and is not processed again.
An exception of the role leaves no mark: it ends the process in good order and is a defect of ours, not of a record.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from mmap import mmap
from pathlib import Path
from zlib import crc32

from streams.shard.api import Incoming

GUILTY = 2  # deaths alone
_KEPT = 200  # suspects that are remembered
_SLOT = 512  # bytes; Kafka's names are at most 249 characters long
_HEAD = struct.Struct(">BIQQH")  # under way, checksum of the rest, first offset, offset after the last, name's length
_BODY = struct.Struct(">QQH")
_NOTHING = b"\0"


@dataclass(frozen=True, slots=True)
class Suspect:
    """Offsets `start` to `end` (exclusive) of a topic were under way when the process died; `alone`: how often it died
    on nothing but this one record."""

    topic: str
    start: int
    end: int
    alone: int = 0


def accused(suspects: Sequence[Suspect], found: Suspect) -> list[Suspect]:
    """The suspects after a process died on `found`. Pure."""
    if found.end - found.start > 1:
        return [*suspects, found]
    before = max((s.alone for s in suspects if _same(s, found)), default=0)
    others = [s for s in suspects if not _same(s, found)]
    return [*others, Suspect(found.topic, found.start, found.end, before + 1)]


def _same(one: Suspect, other: Suspect) -> bool:
    return (one.topic, one.start, one.end) == (other.topic, other.start, other.end)


class Attempts:
    """The marks of one shard. `positions`: committed offsets by topic; what lies before them is done and forgotten."""

    def __init__(self, path: Path, positions: Mapping[str, int]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        self._suspects = [s for s in _read(self._file) if s.end > positions.get(s.topic, s.end)][-_KEPT:]
        self._keep()
        self._mark = mmap(self._file, _SLOT)  # outlives the process as a write does, at a tenth of its price

    @property
    def suspects(self) -> Sequence[Suspect]:
        """What is not to be processed with other records; empty but after a death."""
        return self._suspects

    def runs(self, topic: str, records: Sequence[Incoming]) -> Iterator[Sequence[Incoming]]:
        """The records in the runs to process them in: suspects alone, the others together."""
        spans = [(s.start, s.end) for s in self._suspects if s.topic == topic]
        if not spans:
            yield records
            return
        together: list[Incoming] = []
        for record in records:
            if not any(start <= record.offset < end for start, end in spans):
                together.append(record)
                continue
            if together:
                yield together
                together = []
            yield [record]
        if together:
            yield together

    def deaths(self, topic: str, offset: int) -> int:
        """How often a process died on this record alone."""
        return max((s.alone for s in self._suspects if s.topic == topic and s.start == offset), default=0)

    @contextmanager
    def under_way(self, topic: str, records: Sequence[Incoming]) -> Iterator[None]:
        """Inside it the records are marked. The mark stays when the interpreter dies, or cannot go on for memory."""
        name = topic.encode()
        body = _BODY.pack(records[0].offset, records[-1].offset + 1, len(name)) + name
        mark = b"\1" + crc32(body).to_bytes(4, "big") + body
        self._mark[: len(mark)] = mark
        try:
            yield
        except MemoryError:
            raise
        except BaseException:
            self._mark[:1] = _NOTHING
            raise
        self._mark[:1] = _NOTHING

    def passed(self, topic: str, position: int) -> None:
        """Everything of the topic before `position` is processed: this process needs not look for it any more. The file
        keeps it until it is committed."""
        if self._suspects:
            self._suspects = [s for s in self._suspects if s.topic != topic or s.end > position]

    def close(self) -> None:
        """Close the file; it stays."""
        self._mark.close()
        os.close(self._file)

    def _keep(self) -> None:
        kept = json.dumps([asdict(suspect) for suspect in self._suspects]).encode()
        os.pwrite(self._file, kept, _SLOT)
        os.ftruncate(self._file, _SLOT + len(kept))
        os.pwrite(self._file, _NOTHING * _SLOT, 0)


def _read(file: int) -> list[Suspect]:
    """The suspects that the processes before left; a file that is not whole accuses nobody."""
    slot, kept = os.pread(file, _SLOT, 0), os.pread(file, 1 << 20, _SLOT)
    try:
        suspects = [Suspect(**one) for one in json.loads(kept or b"[]")]
    except (ValueError, TypeError):
        suspects = []
    found = _marked(slot)
    return accused(suspects, found) if found else suspects


def _marked(slot: bytes) -> Suspect | None:
    if len(slot) < _HEAD.size or not slot[0]:
        return None
    _, checksum, start, end, length = _HEAD.unpack_from(slot)
    name = slot[_HEAD.size : _HEAD.size + length]
    if crc32(_BODY.pack(start, end, length) + name) != checksum:
        return None
    return Suspect(name.decode(), start, end)
