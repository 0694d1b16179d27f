"""What resolvers left behind of what a `Chatter` said, and the oracle's findings on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from connectors import catalog
from schemas import topics
from schemas.codec import Codec
from schemas.headers import Header, find
from schemas.topics import PROFILES
from streams.core import ledger
from streams.core.ledger import Book, Entry
from streams.resolver.processor import Resolver
from streams.resolver.role import routes_of
from streams.runtime import config
from streams.runtime.topicreader import Seen, TopicReader
from streams.shard.memory import MemoryShard
from streams.testing import oracle
from streams.testing.chatter import KIND
from streams.testing.memoryhost import Record
from streams.testing.oracle import Finding, Report


class Aftermath:
    """Reads topics of one run, when nobody writes to them any more. `rules`: the configuration file of the run."""

    def __init__(self, reader: TopicReader, codec: Codec, rules: Path) -> None:
        self._codec = codec
        self._routes = routes_of(config.load(rules, catalog.NAMES))
        self._inbound = reader.read(topics.INBOUND)
        self._events = reader.read(topics.events(KIND))
        self._rows = reader.read(topics.RESOLVE_CHANGELOG)
        self.state = reader.read(topics.state(KIND))

    def report(self, truth: Mapping[str, Decimal | None], records: int) -> Report:
        """All that must hold, given the truth and how many records were written."""
        headers = {header.event_id: header for header in (Header.unpack(find(one.headers)) for one in self._inbound)}
        report = Report()
        report.add(self._agrees(truth))
        report.add(self._never_back())
        for finding in (*self._books(records), self._fold()):
            report.add(finding)
        for finding in oracle.events_once_in_order(headers.values(), self._events, headers):
            report.add(finding)
        return report

    def _agrees(self, truth: Mapping[str, Decimal | None]) -> Finding:
        held: dict[str, str] = {}
        for one in self.state:
            held[(one.key or b"").decode()] = self._amount(one.value)
        return oracle.converged({key: _text(amount) for key, amount in truth.items()}, {"state": held})

    def _amount(self, value: bytes | None) -> str:
        return _text(None if value is None else Decimal(self._codec.decode(value)["amount"]["amount"]))

    def _never_back(self) -> Finding:
        """Of one account nothing older is shown after something newer."""
        newest: dict[tuple[bytes | None, str], tuple[int, ...]] = {}
        back = []
        for one in self.state:
            if one.value is None:
                continue
            meta = self._codec.decode(one.value)["meta"]
            said = (meta["version"]["clock"], meta["version"]["rank"], meta["version"]["sequence"])
            source = (one.key, meta["account"])
            if said < newest.get(source, said):
                back.append(f"{source}: offset {one.offset} of {one.partition}")
            newest[source] = said
        return Finding("I2", "state never goes back to an older version of an account", len(self.state), tuple(back))

    def _books(self, records: int) -> list[Finding]:
        """The book of events closes, and has every record in it."""
        last = {(one.partition, one.key or b""): one.value for one in self._rows}
        rows = [(key, value) for (_, key), value in last.items() if key[:1] == ledger.KIND and value is not None]
        entries = [ledger.decode(key, value) for key, value in rows]
        mine = [entry for entry in entries if entry.book is Book.EVENTS]
        found = [one for one in oracle.balanced(mine) if "events" in one.title]
        return [*found, _complete(mine, records)]

    def _fold(self) -> Finding:
        """A fresh resolver over the whole input, shard by shard, against the rows that are kept."""
        live = {one.key or b"": one.value for one in self._rows}
        replayed: dict[bytes, bytes] = {}
        for number, records in self._by_shard().items():
            shard, fresh = MemoryShard(number), Resolver(self._routes, self._codec, PROFILES["development"])
            fresh.open(shard)
            fresh.process(shard, topics.INBOUND, records)
            replayed |= {key: row for key, row in shard.rows.data.items() if key[:1] == b"E"}
        kept = {key: row for key, row in live.items() if key[:1] == b"E" and row is not None}
        return oracle.equals_fold(kept, replayed)

    def _by_shard(self) -> Mapping[int, Sequence[Record]]:
        shards: dict[int, list[Record]] = defaultdict(list)
        for one in self._inbound:
            shards[one.partition].append(Record(one.offset, one.key, one.value, one.headers, one.timestamp))
        return shards


def _complete(entries: Iterable[Entry], records: int) -> Finding:
    received = sum(entry.counters["received"] for entry in entries)
    wrong = () if received == records else (f"{received} records are booked, {records} were written",)
    return Finding("I6", "the book of events has every record", records, wrong)


def _text(amount: Decimal | None) -> str:
    return "deleted" if amount is None else format(amount.normalize(), "f")


def longest_pause(records: Iterable[Seen]) -> float:
    """Seconds between two records of one partition, at most, by the broker's clock."""
    last: dict[int, int] = {}
    longest = 0
    for one in records:
        longest = max(longest, one.timestamp - last.get(one.partition, one.timestamp))
        last[one.partition] = one.timestamp
    return longest / 1_000
