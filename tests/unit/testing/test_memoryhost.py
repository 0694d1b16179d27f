"""The host in memory commits and loses what the real host would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from streams.shard.api import Incoming, Shard
from streams.testing.memoryhost import MemoryHost, Record


@dataclass
class Counting:
    """Counts values into a row and emits each; holds back from the first record of value `hold`."""

    closed: list[str] = field(default_factory=list)
    held: int | None = None
    released: bool = False

    def open(self, shard: Shard) -> None:
        self.held = None

    def process(self, shard: Shard, topic: str, records: Sequence[Incoming]) -> int | None:
        for record in records:
            before = int(shard.rows.get(b"C") or b"0")
            shard.rows.put(b"C", b"%d" % (before + 1))
            shard.emit("out", 0, record.key, record.value)
            if record.value == b"hold" and not self.released and self.held is None:
                self.held = record.offset
        return self.held

    def tick(self, shard: Shard) -> dict[str, int | None]:
        self.released, self.held = True, None
        return {"in": None}

    def close(self, shard: Shard) -> None:
        self.closed.append("closed")


def log(*values: bytes) -> list[Record]:
    return [Record(at, b"k", value) for at, value in enumerate(values)]


def test_outputs_are_those_of_one_transaction_each() -> None:
    host = MemoryHost(Counting, {"in": log(b"a", b"b")})
    host.process("in", 1)
    assert [one.value for one in host.commit()] == [b"a"]
    host.work()
    assert [one.value for one in host.commit()] == [b"b"]
    assert host.commit() == []


def test_a_crash_goes_back_to_the_committed_rows_and_offsets() -> None:
    host = MemoryHost(Counting, {"in": log(b"a", b"b", b"c")})
    host.process("in", 1)
    host.commit()
    host.process("in")
    host.crash()
    assert (host.positions, host.shard.rows.get(b"C")) == ({"in": 1}, b"1")
    host.work()
    host.commit()
    assert host.shard.rows.get(b"C") == b"3"


def test_what_is_held_back_is_not_committed_until_a_tick_lets_it_go() -> None:
    host = MemoryHost(Counting, {"in": log(b"a", b"hold", b"c")})
    host.work()
    host.commit()
    assert (host.limits, host.committed) == ({"in": 1}, {"in": 1})
    host.tick()
    host.commit()
    assert host.committed == {"in": 3}


def test_a_restart_commits_closes_and_opens_the_version_it_is_given() -> None:
    first, second = Counting(), Counting()
    host = MemoryHost(lambda: first, {"in": log(b"a", b"b")})
    host.process("in", 1)
    assert [one.value for one in host.restart(lambda: second)] == [b"a"]
    assert (first.closed, second.closed) == (["closed"], [])
    host.crash()
    host.restart()
    assert second.closed == ["closed"]


def test_a_log_may_grow() -> None:
    grows = log(b"a")
    host = MemoryHost(Counting, {"in": grows})
    host.work()
    grows.append(Record(1, b"k", b"b"))
    host.work()
    assert [one.value for one in host.commit()] == [b"a", b"b"]
