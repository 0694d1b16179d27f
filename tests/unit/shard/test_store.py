"""The local store: what is on disk is trusted only when it says what it is and nothing is wrong with it."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.shard import store as stores
from streams.shard.store import Damaged, Identity, Locked, Store

OURS = Identity("cluster", "changelog", 0)
ROWS: dict[bytes, bytes | None] = {b"C%04d" % n: random.Random(n).randbytes(200) for n in range(500)}


def _filled(path: Path, position: int = 500) -> None:
    store = Store(path, OURS)
    store.write(ROWS, position, 1_000)
    store.close()


def test_rows_and_the_position_they_reflect_survive_a_close(tmp_path: Path) -> None:
    _filled(tmp_path / "s")
    store = Store(tmp_path / "s", OURS)
    assert (store.position, store.written_at, store.why_empty) == (500, 1_000, "")
    assert dict(store.scan(b"C")) == ROWS
    store.write({b"C0001": None, b"D": b"1"}, 502, 2_000)
    assert store.get(b"C0001") is None
    assert dict(store.scan(b"D")) == {b"D": b"1"}
    store.close()


@pytest.mark.parametrize(
    "other", [Identity("other", "changelog", 0), Identity("cluster", "other", 0), Identity("cluster", "changelog", 1)]
)
def test_a_store_of_anything_else_is_begun_anew(tmp_path: Path, other: Identity) -> None:
    _filled(tmp_path / "s")
    store = Store(tmp_path / "s", other)
    assert store.position == 0
    assert "cache of something else" in store.why_empty
    assert list(store.scan(b"C")) == []
    store.close()


def test_a_store_marked_as_damaged_is_begun_anew_once(tmp_path: Path) -> None:
    _filled(tmp_path / "s")
    store = Store(tmp_path / "s", OURS)
    store.mark_damaged()
    store.close()
    store = Store(tmp_path / "s", OURS)
    assert (store.position, store.why_empty) == (0, "marked as damaged by the process before")
    store.close()
    store = Store(tmp_path / "s", OURS)
    assert store.why_empty == ""
    store.close()


@pytest.mark.parametrize("value", [b"short", stores._AT.pack(500, 1_000, 0)])
def test_a_position_with_a_wrong_checksum_is_not_believed(tmp_path: Path, value: bytes) -> None:
    _filled(tmp_path / "s")
    store = Store(tmp_path / "s", OURS)
    store._db[stores._POSITION] = value
    store.close()
    store = Store(tmp_path / "s", OURS)
    assert (store.position, store.why_empty) == (0, "its position has a wrong checksum")
    assert store.get(b"C0001") is None
    store.close()


def _flipped(path: Path, at: float) -> None:
    data = bytearray(path.read_bytes())
    data[min(int(len(data) * at), len(data) - 1)] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("files", "damage"),
    [
        ("CURRENT", lambda path: path.write_bytes(b"garbage")),
        ("CURRENT", Path.unlink),
        ("MANIFEST-*", lambda path: _flipped(path, 0.5)),
        ("MANIFEST-*", lambda path: path.write_bytes(b"")),
        ("*.sst", lambda path: _flipped(path, 0.0)),
        ("*.sst", lambda path: _flipped(path, 1.0)),
        ("*.sst", lambda path: path.write_bytes(path.read_bytes()[:-1])),
        ("*.sst", Path.unlink),
    ],
)
def test_damaged_files_are_noticed_at_opening(tmp_path: Path, files: str, damage: Callable[[Path], None]) -> None:
    _filled(tmp_path / "s")
    for path in (tmp_path / "s").glob(files):
        damage(path)
    store = Store(tmp_path / "s", OURS)
    assert store.position == 0
    assert store.why_empty
    assert list(store.scan(b"C")) == []
    store.write(ROWS, 500, 1_000)
    assert dict(store.scan(b"C")) == ROWS
    store.close()


def test_a_flipped_byte_among_the_rows_is_noticed_when_they_are_read_and_rebuilt_by_the_next_start(
    tmp_path: Path,
) -> None:
    _filled(tmp_path / "s")
    for path in (tmp_path / "s").glob("*.sst"):
        _flipped(path, 0.5)
    store = Store(tmp_path / "s", OURS)
    assert store.position == 500, "nothing was noticed yet"
    with pytest.raises(Damaged, match="scanning"):
        list(store.scan(b"C"))
    with pytest.raises(Damaged, match="reading"):
        list(map(store.get, ROWS))
    store.close()
    store = Store(tmp_path / "s", OURS)
    assert (store.position, store.why_empty) == (0, "marked as damaged by the process before")
    store.close()


class Refusing:
    """A RocksDB that takes nothing."""

    def __init__(self, why: str) -> None:
        self._why = why

    def write(self, *_: object) -> None:
        raise Exception(self._why)


@pytest.mark.parametrize(
    ("why", "damaged"), [("Corruption: block checksum mismatch", True), ("IO error: No space left on device", False)]
)
def test_a_refused_write_condemns_the_store_only_when_its_files_are_damaged(
    tmp_path: Path, why: str, damaged: bool
) -> None:
    _filled(tmp_path / "s")
    store = Store(tmp_path / "s", OURS)
    database, store._db = store._db, Refusing(why)
    with pytest.raises(Exception, match=why) as raised:
        store.write(ROWS, 600, 2_000)
    assert isinstance(raised.value, Damaged) is damaged
    store._db = database
    store.close()
    store = Store(tmp_path / "s", OURS)
    assert store.position == (0 if damaged else 500)
    store.close()


def test_a_locked_store_is_waited_for(tmp_path: Path) -> None:
    _filled(tmp_path / "s")
    first = Store(tmp_path / "s", OURS)
    closing = threading.Timer(0.1, first.close)
    closing.start()
    store = Store(tmp_path / "s", OURS)
    assert store.position == 500
    store.close()
    closing.join()


def test_a_store_that_stays_locked_is_refused_and_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _filled(tmp_path / "s")
    first = Store(tmp_path / "s", OURS)
    monkeypatch.setattr(stores, "LOCK_WAIT", 0.0)
    with pytest.raises(Locked, match="state folder of its own"):
        Store(tmp_path / "s", OURS)
    assert dict(first.scan(b"C")) == ROWS
    first.close()


def test_a_restart_forgets_rows_and_position(tmp_path: Path) -> None:
    _filled(tmp_path / "s")
    store = Store(tmp_path / "s", OURS)
    store.restart("too old")
    assert (store.position, store.written_at, store.why_empty) == (0, 0, "too old")
    assert list(store.scan(b"C")) == []
    store.close()
