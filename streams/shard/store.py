"""A shard's local rows: RocksDB as a cache of the changelog.

There is no write-ahead log: rows and the changelog position they reflect are one batch, so a crash leaves an older but
consistent pair and a longer replay. Anything doubtful (foreign, damaged, too old) is deleted and rebuilt.
"""

from __future__ import annotations

import json
import shutil
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

from rocksdict import BlockBasedOptions, Cache, Options, Rdict, WriteBatch, WriteOptions

FORMAT = 1
_META = b"\0meta"
_POSITION = b"\0position"
_AT = struct.Struct(">qqI")  # changelog offset, milliseconds UTC, checksum of both
_DAMAGED = "DAMAGED"
_BLOCK_CACHE_BYTES = 8 << 20
_WRITE_BUFFER_BYTES = 4 << 20
LOCK_WAIT = 20.0  # seconds


class Damaged(Exception):
    """The local store cannot be trusted; it is deleted and rebuilt from the changelog."""


class Locked(Exception):
    """Another process has the store open and does not close it."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a store is a cache of; a store of anything else is foreign."""

    cluster: str
    changelog: str
    partition: int

    def encode(self) -> bytes:
        return json.dumps([FORMAT, self.cluster, self.changelog, self.partition]).encode()


class Store:
    """One RocksDB folder. Single process; call `close` so that the missing log is flushed."""

    def __init__(self, path: Path, identity: Identity) -> None:
        self.path = path
        self.identity = identity
        self.position = 0
        self.written_at = 0
        self.why_empty = ""
        self._db = self._open()
        self._no_log = WriteOptions()
        self._no_log.disable_wal = True

    def _open(self) -> Any:
        try:
            return self._open_existing()
        except Damaged as damage:
            self.why_empty = str(damage)
        self.wipe()
        db = _rocksdb(self.path)
        db[_META] = self.identity.encode()
        return db

    def _open_existing(self) -> Any:
        if not (self.path / "CURRENT").exists():
            raise Damaged("new")
        if (self.path / _DAMAGED).exists():
            raise Damaged("marked as damaged by the process before")
        try:
            db = _when_unlocked(self.path)
            meta, at = db.get(_META), db.get(_POSITION)
        except Locked:
            raise
        except Exception as error:
            raise Damaged(f"RocksDB refuses it: {error}") from error
        if meta != self.identity.encode():
            db.close()
            raise Damaged(f"it is a cache of something else: {meta!r}")
        self.position, self.written_at = _unpack_position(db, at)
        return db

    def wipe(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.position = self.written_at = 0

    def restart(self, why: str) -> None:
        """Forget everything and begin an empty store."""
        self._db.close()
        self.wipe()
        self.why_empty = why
        self._db = _rocksdb(self.path)
        self._db[_META] = self.identity.encode()

    def get(self, key: bytes) -> bytes | None:
        """The stored row. Raises Damaged, after marking the folder so that the next process rebuilds it."""
        try:
            row: bytes | None = self._db.get(key)
        except Exception as error:
            self.mark_damaged()
            raise Damaged(f"reading {key!r} from {self.path} failed: {error}") from error
        return row

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Stored rows with the prefix, from `start` on, in key order. Raises Damaged as `get` does."""
        try:
            rows = self._db.iter()
            rows.seek(max(prefix, start))
            while rows.valid():
                key = rows.key()
                if not key.startswith(prefix):
                    return
                yield key, rows.value()
                rows.next()
            rows.status()  # a damaged block ends the iteration like the last row does; only this tells them apart
        except Exception as error:
            self.mark_damaged()
            raise Damaged(f"scanning {prefix!r} in {self.path} failed: {error}") from error

    def write(self, rows: Mapping[bytes, bytes | None], position: int, now_ms: int) -> None:
        """Rows (None deletes) and the changelog position after them, in one batch.

        Raises Damaged when RocksDB found a damaged file behind the scenes: it takes nothing any more then. What else it
        refuses (a full disk) it raises as it is; the store is as good as before.
        """
        batch = WriteBatch(raw_mode=True)
        put = batch.put
        for key, value in rows.items():
            if value is None:
                batch.delete(key)
            else:
                put(key, value)
        put(_POSITION, _AT.pack(position, now_ms, crc32(b"%d %d" % (position, now_ms))))
        try:
            self._db.write(batch, self._no_log)
        except Exception as error:
            if not str(error).startswith("Corruption"):
                raise
            self.mark_damaged()
            raise Damaged(f"writing to {self.path} failed: {error}") from error
        self.position, self.written_at = position, now_ms

    def mark_damaged(self) -> None:
        """Make the next process rebuild this store."""
        (self.path / _DAMAGED).touch()

    def close(self) -> None:
        """Flush and close."""
        self._db.flush()
        self._db.close()


def _unpack_position(db: Any, at: bytes | None) -> tuple[int, int]:
    if at is None:
        return 0, 0
    try:
        position, written_at, checksum = _AT.unpack(at)
    except struct.error:
        checksum = position = written_at = -1
    if checksum != crc32(b"%d %d" % (position, written_at)):
        db.close()
        raise Damaged("its position has a wrong checksum")
    return position, written_at


def _when_unlocked(path: Path) -> Any:
    """Open it as soon as a predecessor on the same disk has closed it. A locked store is not a damaged one: deleting it
    would let two processes write files of the same names. Raises Locked after LOCK_WAIT seconds."""
    deadline = time.monotonic() + LOCK_WAIT
    while True:
        try:
            return _rocksdb(path)
        except Exception as error:
            if f"{path / 'LOCK'}:" not in str(error):
                raise
            if time.monotonic() > deadline:
                raise Locked(
                    f"{path} is held open by another process: {error}. Give every process a state folder of its own, "
                    "or end the one that hangs"
                ) from error
        time.sleep(0.05)


def _rocksdb(path: Path) -> Any:
    table = BlockBasedOptions()
    table.set_bloom_filter(10, block_based=False)
    table.set_block_cache(Cache(_BLOCK_CACHE_BYTES))
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_block_based_table_factory(table)
    options.set_keep_log_file_num(2)
    return Rdict(str(path), options=options)
