"""Rows of a live shard: a dict, as far as anybody can see, whatever is cached, uncommitted or on disk."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from streams.shard.memory import MemoryRows
from streams.shard.rows import CachedRows
from streams.shard.store import Identity, Store

KEYS = [prefix + bytes([n]) for prefix in (b"a", b"b") for n in range(5)]
keys = st.sampled_from(KEYS)
values = st.binary(max_size=3)


class Rows(RuleBasedStateMachine):
    """Rows over a real store beside a plain dict, with commits and crashes."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store = Store(self.folder / "s", Identity("c", "t", 0))
        self.model = MemoryRows()
        self.committed: dict[bytes, bytes] = {}
        self.taken: dict[bytes, bytes] | None = None
        self.position = self.stored_position = 0
        self.stored: dict[bytes, bytes] = {}

    @initialize(capacity=st.integers(0, 4))
    def open(self, capacity: int) -> None:
        self.capacity = capacity
        self.rows = CachedRows(self.store, capacity)

    @rule(key=keys, value=values)
    def put(self, key: bytes, value: bytes) -> None:
        self.rows.put(key, value)
        self.model.put(key, value)

    @rule(key=keys)
    def delete(self, key: bytes) -> None:
        self.rows.delete(key)
        self.model.delete(key)

    @rule(key=keys)
    def get(self, key: bytes) -> None:
        assert self.rows.get(key) == self.model.get(key)

    @rule(prefix=st.sampled_from([b"a", b"b", b"a\x02"]), start=st.sampled_from([b"", *KEYS, b"a\x02\x00"]))
    def scan(self, prefix: bytes, start: bytes) -> None:
        expected = {key: value for key, value in self.model.data.items() if key.startswith(prefix) and key >= start}
        assert list(self.rows.scan(prefix, start)) == sorted(expected.items())
        assert list(self.model.scan(prefix, start)) == sorted(expected.items())

    @rule(prefix=st.sampled_from([b"a", b"b"]), key=keys, value=values)
    def what_is_written_while_rows_are_scanned_does_not_count(self, prefix: bytes, key: bytes, value: bytes) -> None:
        expected = list(self.model.scan(prefix))
        found = []
        for one in self.rows.scan(prefix):
            found.append(one)
            self.put(key, value)
        assert found == expected

    @rule()
    def take(self) -> None:
        if self.taken is None:
            self.any_taken = bool(self.rows.take())
            self.taken = dict(self.model.data)

    @rule()
    def commit(self) -> None:
        if self.taken is not None:
            if self.any_taken:
                self.position += 1
                self.rows.committed(self.position)
            self.committed, self.taken = self.taken, None

    @rule()
    def store_behind(self) -> None:
        self.rows.store(self.position)
        self.stored, self.stored_position = self.committed, self.position

    @rule()
    def crash(self) -> None:
        """What was not committed is gone for good; what was not stored comes back from the changelog."""
        self.store.close()
        self.store = Store(self.folder / "s", Identity("c", "t", 0))
        assert {key: value for key, value in self.store.scan(b"") if key[:1] in b"ab"} == self.stored
        changed = self.committed | dict.fromkeys(self.stored.keys() - self.committed.keys())
        self.store.write(changed, self.position, self.position)
        self.stored, self.stored_position = self.committed, self.position
        self.rows = CachedRows(self.store, self.capacity)
        self.model = MemoryRows(dict(self.committed))
        self.taken = None

    @invariant()
    def the_position_is_that_of_the_rows(self) -> None:
        assert self.store.position == self.stored_position

    def teardown(self) -> None:
        for key in KEYS:
            assert self.rows.get(key) == self.model.get(key)
        self.store.close()
        shutil.rmtree(self.folder)


TestRows = Rows.TestCase
TestRows.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_rows_touched_since_the_last_take_are_the_next_transaction(tmp_path: Path) -> None:
    store = Store(tmp_path / "s", Identity("c", "t", 0))
    rows = CachedRows(store, 10)
    rows.put(b"a", b"1")
    rows.put(b"a", b"2")
    rows.delete(b"b")
    assert rows.take() == {b"a": b"2", b"b": None}
    rows.put(b"c", b"3")
    rows.committed(7)
    rows.store(1)
    assert rows.take() == {b"c": b"3"}
    assert (store.position, store.get(b"a"), store.get(b"c")) == (7, b"2", None)
    store.close()


def test_the_store_is_written_when_enough_waits_or_long_enough(tmp_path: Path) -> None:
    store = Store(tmp_path / "s", Identity("c", "t", 0))
    rows = CachedRows(store, 10, behind=2)
    assert not rows.due(10_000)
    rows.put(b"a", b"1")
    rows.take()
    rows.committed(1)
    rows.store(10_000)
    rows.put(b"a", b"2")
    rows.take()
    rows.committed(2)
    assert [rows.due(10_001), rows.due(15_000)] == [False, True]
    rows.put(b"b", b"1")
    rows.take()
    rows.committed(3)
    assert rows.due(10_001)
    assert (rows.get(b"a"), store.get(b"a"), store.position) == (b"2", b"1", 1)
    store.close()
