"""Rows of a live shard: a dict, as far as anybody can see, whatever is cached, uncommitted or on disk."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from streams.shard.memory import MemoryRows
from streams.shard.store import CachedRows, Identity, Store

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
        self.position = 0

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

    @rule(prefix=st.sampled_from([b"a", b"b", b"a\x02"]))
    def scan(self, prefix: bytes) -> None:
        assert list(self.rows.scan(prefix)) == list(self.model.scan(prefix))

    @rule()
    def take(self) -> None:
        if self.taken is None:
            self.rows.take()
            self.taken = dict(self.model.data)

    @rule()
    def stored(self) -> None:
        if self.taken is not None:
            self.position += 1
            self.rows.stored(self.position, self.position)
            self.committed, self.taken = self.taken, None

    @rule()
    def crash(self) -> None:
        """Whatever was not stored is gone; what the store holds is what was committed."""
        self.store.close()
        self.store = Store(self.folder / "s", Identity("c", "t", 0))
        self.rows = CachedRows(self.store, self.capacity)
        self.model = MemoryRows(dict(self.committed))
        self.taken = None

    @invariant()
    def the_position_is_that_of_the_rows(self) -> None:
        assert self.store.position == self.position

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
    rows.stored(7, 1)
    assert rows.take() == {b"c": b"3"}
    assert (store.position, store.get(b"a"), store.get(b"c")) == (7, b"2", None)
    store.close()
