"""Where rows are read: a role's changelog topic, or the stores that a stopped process left on its disk.

Both are read as they are: nothing is written, repaired or locked.
"""

from __future__ import annotations

import fcntl
import json
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from rocksdict import AccessType, Options, Rdict

from connectors.kit.errors import Misconfigured
from schemas import topics
from streams.runtime.topicreader import TopicReader

KeepKey = Callable[[bytes], bool]
_META, _POSITION = b"\0meta", b"\0position"  # rows of a store about itself
_AT = struct.Struct(">qqI")  # changelog offset, milliseconds UTC, checksum
_DEEPEST = 4  # folders below the one that is named: state, instance, group, shard
COURIER = "courier-"


class UnreadableStore(ValueError):
    """A local store that cannot be read as it is."""


def roles() -> dict[str, str]:
    """Role -> catalogue name of its changelog."""
    couriers = {f"{COURIER}{name}": topics.courier_changelog(name) for name in topics.PLATFORMS}
    return {"resolver": topics.RESOLVE_CHANGELOG, "mapper": topics.MAP_CHANGELOG, **couriers}


@dataclass(frozen=True, slots=True)
class Row:
    """A row and the changelog offset at which it stands; None on disk, which does not keep it."""

    value: bytes
    offset: int | None = None


class Source(Protocol):
    """Rows of one role, by shard."""

    def shards(self) -> list[int]:
        """The shards there are."""
        ...

    def rows(self, shard: int, keep: KeepKey) -> dict[bytes, Row]:
        """The rows of a shard for whose key `keep` holds, deleted ones left out."""
        ...

    def told(self, shard: int) -> str:
        """Where the rows of a shard were read."""
        ...


class ChangelogSource:
    """Rows as the changelog says them now, committed ones only; `name` is a catalogue name."""

    def __init__(self, reader: TopicReader, name: str) -> None:
        self._reader = reader
        self._name = name

    def shards(self) -> list[int]:
        """Raises KafkaException."""
        return list(range(self._reader.partitions(self._name)))

    def rows(self, shard: int, keep: KeepKey) -> dict[bytes, Row]:
        """Raises KafkaException."""
        found: dict[bytes, Row] = {}
        for record in self._reader.scan(self._name, [shard], lambda key, value: key is not None and keep(key)):
            key = record.key or b""
            if record.value is None:
                found.pop(key, None)
            else:
                found[key] = Row(record.value, record.offset)
        return found

    def told(self, shard: int) -> str:
        return f"{self._name} partition {shard}"


class DiskSource:
    """Rows as the stores under a folder hold them: that of a process, of a role or of one shard.

    Raises Misconfigured when no store of this changelog (full topic name) is there, or one shard is there twice.
    """

    def __init__(self, folder: Path, changelog: str) -> None:
        self._stores: dict[int, Path] = {}
        strangers = set()
        for path in _stores(folder):
            _, _, name, shard = _identity(path)
            if name != changelog:
                strangers.add(name)
            elif shard in self._stores:
                raise Misconfigured(
                    f"{folder} holds shard {shard} of {changelog} twice, in {self._stores[shard]} and {path}: name the "
                    "folder of one process"
                )
            else:
                self._stores[shard] = path
        if not self._stores:
            raise Misconfigured(_none(folder, changelog, strangers))

    def shards(self) -> list[int]:
        return sorted(self._stores)

    def rows(self, shard: int, keep: KeepKey) -> dict[bytes, Row]:
        """Raises UnreadableStore for a damaged one or one that a process has open."""
        with _opened(self._stores[shard]) as db:
            return {key: Row(value) for key, value in _scan(db, self._stores[shard]) if keep(key)}

    def told(self, shard: int) -> str:
        """With the changelog offset up to which the store was written."""
        path = self._stores[shard]
        with _opened(path) as db:
            at = db.get(_POSITION)
        if at is None or len(at) != _AT.size:
            return f"{path}, which says no changelog offset"
        offset, written, _ = _AT.unpack(at)
        when = datetime.fromtimestamp(written / 1000, UTC)
        damaged = "; it is marked as damaged, the next start rebuilds it" if (path / "DAMAGED").exists() else ""
        return f"{path}, up to changelog offset {offset}, written {when:%Y-%m-%d %H:%M:%S}Z{damaged}"


def _stores(folder: Path) -> list[Path]:
    """RocksDB folders at or below this one."""
    patterns = ["/".join(["*"] * depth + ["CURRENT"]) for depth in range(_DEEPEST + 1)]
    return sorted({found.parent for pattern in patterns for found in folder.glob(pattern)})


def _none(folder: Path, changelog: str, strangers: set[str]) -> str:
    if not folder.is_dir():
        return f"{folder} is no folder; a process keeps its stores in SLUICE_STATE_DIR/SLUICE_INSTANCE_ID"
    other = f", only of {', '.join(sorted(strangers))}: are --role and SLUICE_TOPIC_PREFIX right?" if strangers else ""
    return f"{folder} holds no store of {changelog}{other or '; name the folder of a process, a role or a shard'}"


def _identity(path: Path) -> tuple[int, str, str, int]:
    """Format, cluster, changelog and shard that a store says it is a cache of."""
    with _opened(path) as db:
        meta = db.get(_META)
    try:
        form, cluster, changelog, shard = json.loads(meta)
        return int(form), str(cluster), str(changelog), int(shard)
    except (TypeError, ValueError) as error:
        raise UnreadableStore(f"{path} does not say of which changelog it is a cache: {meta!r}") from error


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    _refuse_open(path)
    try:
        db = Rdict(str(path), options=Options(raw_mode=True), access_type=AccessType.read_only())
    except Exception as error:
        raise UnreadableStore(f"RocksDB refuses {path}: {error}; a role that starts there rebuilds it") from error
    try:
        yield db
    finally:
        db.close()


def _refuse_open(path: Path) -> None:
    """A live process keeps its newest rows in memory, and the files change under the reader."""
    try:
        with (path / "LOCK").open("rb") as lock:
            fcntl.lockf(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UnreadableStore(
            f"{path} is open in a running process, whose newest rows are not on disk: stop it first, or leave "
            "--from-disk away and read the changelog"
        ) from error
    except FileNotFoundError:
        return


def _scan(db: Any, path: Path) -> Iterator[tuple[bytes, bytes]]:
    try:
        rows = db.iter()
        rows.seek_to_first()
        while rows.valid():
            if not rows.key().startswith(b"\0"):
                yield rows.key(), rows.value()
            rows.next()
        rows.status()  # a damaged block ends the iteration like the last row does; only this tells them apart
    except Exception as error:
        raise UnreadableStore(f"reading {path} failed: {error}; a role that starts there rebuilds it") from error
