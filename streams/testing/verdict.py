"""Reading a finished run back and giving the oracle's verdict on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors import catalog
from schemas import topics
from schemas.codec import Codec
from schemas.entities import EntityType
from schemas.headers import Header
from schemas.registry import open_codec
from schemas.topics import PROFILES
from streams.core.ledger import Book, Entry, total
from streams.resolver.processor import Resolver
from streams.resolver.role import routes_of
from streams.runtime import ledgerbook
from streams.runtime.config import load as load_config
from streams.runtime.topicreader import Seen, TopicReader
from streams.shard.api import Incoming
from streams.shard.memory import MemoryShard
from streams.testing import oracle, truth
from streams.testing.merchant import BACK_OFFICE, LOCATION, SHOP, Merchant
from streams.testing.oracle import Finding, Report

STATE_TYPES = (EntityType.PRICE, EntityType.INVENTORY_LEVEL)


@dataclass(slots=True)
class _Record:
    """A record as a processor takes it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Verdict:
    """Everything one run left behind. `start`: what each shop held before the first edit."""

    def __init__(self, merchant: Merchant, start: Mapping[str, Mapping[str, Any]]) -> None:
        self._merchant = merchant
        self._start = start
        self._reader = TopicReader({"bootstrap.servers": merchant.where.bootstrap}, merchant.prefix)
        self._codec: Codec = open_codec(merchant.where.registry, merchant.directory / "schemas")
        self._config = load_config(merchant.config_file, catalog.NAMES)
        self._routes = routes_of(self._config)

    # -- the truth, and who holds it

    def expected(self) -> dict[str, str]:
        """What everybody should hold, by `price SKU` and `stock SKU`."""
        shop = truth.edits(SHOP, self._merchant.journal(SHOP))
        office = truth.edits(BACK_OFFICE, self._merchant.journal(BACK_OFFICE))
        priorities = {account.id: account.priority for account in self._config.accounts.values()}
        prices = truth.lww_truth(_prices(self._start[SHOP]), [*shop, *office], truth.PRICE, priorities)
        stocks = truth.owner_truth(_stocks(self._start[BACK_OFFICE]), office, truth.STOCK)
        return _items(prices, stocks)

    def held(self) -> dict[str, dict[str, str]]:
        """What the shops and `state` hold now."""
        places = {
            name: _items(_prices(state), _stocks(state))
            for name in (SHOP, BACK_OFFICE)
            if (state := self._merchant.state(name))
        }
        return {**places, "state": self._state()}

    def _state(self) -> dict[str, str]:
        items: dict[str, str] = {}
        for value in self._reader.latest(topics.state(EntityType.PRICE)).values():
            record = self._codec.decode(value)
            items[f"price {record['sku']}"] = truth.plain(record["amount"]["amount"])
        for value in self._reader.latest(topics.state(EntityType.INVENTORY_LEVEL)).values():
            record = self._codec.decode(value)
            if record["location"] == LOCATION:
                items[f"stock {record['sku']}"] = truth.plain(record["available"] or 0)
        return items

    def settle(self, patience: float, meanwhile: Callable[[], None]) -> bool:
        """Wait until everybody holds the truth and nothing is on its way; False when patience (s) ran out."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            stop_at = time.monotonic() + 1.0
            while time.monotonic() < stop_at:
                meanwhile()
            if oracle.converged(self.expected(), self.held()).passed and self.idle():
                return True
        return False

    def idle(self) -> bool:
        """No webhook is pending and the books are closed."""
        if self._merchant.stats(SHOP).get("deliveries", {}).get("pending", 0):
            return False
        return all(finding.passed for finding in self._books())

    # -- the verdict

    def report(self) -> Report:
        """All invariants. The roles are stopped first: what is read topic by topic must be of one moment."""
        self._merchant.quiet(self._drained)
        report = Report()
        inbound = self._reader.read(topics.INBOUND)
        headers = {h.event_id: h for h in (Header.unpack(record.headers[0][1]) for record in inbound)}
        events = [record for kind in EntityType for record in self._reader.read(topics.events(kind))]
        report.add(self._acked())
        report.add(oracle.converged(self.expected(), self.held()))
        report.add(self._state_order())
        report.add(oracle.monotone(truth.applied(self._all_edits())))
        for finding in (*self._quotas(), *self._books()):
            report.add(finding)
        report.add(self._fold(inbound))
        for finding in oracle.events_once_in_order(headers.values(), events, headers):
            report.add(finding)
        return report

    def _drained(self) -> bool:
        """Whether mapper and resolver have committed everything there is."""
        inputs = {"mapper": [topics.raw(name) for name in catalog.NAMES], "resolver": [topics.INBOUND]}
        return all(self._reader.caught_up(role, names) for role, names in inputs.items())

    def _acked(self) -> Finding:
        raw = self._reader.read(topics.raw("shopify"))
        kept = {str(self._codec.decode(record.value or b"")["delivery_id"]) for record in raw}
        acked = [one["webhook_id"] for one in self._merchant.deliveries() if one["accepted"]]
        return oracle.no_acked_loss(acked, kept)

    def _state_order(self) -> Finding:
        records = [record for kind in STATE_TYPES for record in self._reader.read(topics.state(kind))]
        version: dict[tuple[bytes, str], tuple[int, int, int]] = {}
        back = []
        for record in records:
            if record.value is None:
                continue
            meta = self._codec.decode(record.value)["meta"]
            said = (meta["version"]["clock"], meta["version"]["rank"], meta["version"]["sequence"])
            source = (record.key or b"", meta["account"])
            if said < version.get(source, said):
                back.append(f"{source}: offset {record.offset} of {record.partition}")
            version[source] = said
        return Finding("I2", "state never goes back to an older version of an account", len(records), tuple(back))

    def _all_edits(self) -> list[truth.Edit]:
        return [edit for name in (SHOP, BACK_OFFICE) for edit in truth.edits(name, self._merchant.journal(name))]

    def _quotas(self) -> list[Finding]:
        bucket = self._merchant.stats(SHOP)["bucket"]
        limit = self._merchant.stats(BACK_OFFICE)["limit"]
        allowed = 0.005  # killed couriers forget what was in flight
        return [
            oracle.quota(int(bucket["accepted"] + bucket["throttled"]), int(bucket["throttled"]), 0, allowed),
            oracle.quota(int(limit["accepted"] + limit["throttled"]), int(limit["throttled"]), 0, allowed),
        ]

    def _books(self) -> list[Finding]:
        return oracle.balanced(self.ledger())

    def ledger(self) -> list[Entry]:
        """All ledger rows of all roles; every shard has its own."""
        return ledgerbook.entries(self._reader, catalog.NAMES)

    def totals(self) -> dict[Book, dict[str, int]]:
        """The books' sums over all accounts."""
        sums = {book: dict.fromkeys(book.names, 0) for book in Book}
        for (book, _), counters in total(self.ledger()).items():
            for name, value in counters.items():
                sums[book][name] += value
        return sums

    def _fold(self, inbound: Iterable[Seen]) -> Finding:
        """I10: a fresh resolver over the whole input, shard by shard, against the live rows."""
        live = {key: value for key, value in self._reader.latest(topics.RESOLVE_CHANGELOG).items() if key[:1] == b"E"}
        replayed: dict[bytes, bytes] = {}
        by_shard: dict[int, list[Incoming]] = {}
        for record in inbound:
            entry = _Record(record.offset, record.timestamp, record.key, record.value, record.headers)
            by_shard.setdefault(record.partition, []).append(entry)
        for number, records in by_shard.items():
            shard, resolver = MemoryShard(number), Resolver(self._routes, self._codec, PROFILES["development"])
            resolver.open(shard)
            resolver.process(shard, topics.INBOUND, records)
            replayed |= {key: value for key, value in shard.rows.data.items() if key[:1] == b"E"}
        return oracle.equals_fold(live, replayed)

    def close(self) -> None:
        """Leave the broker."""
        self._reader.close()


def _prices(state: Mapping[str, Any]) -> dict[str, str]:
    return {name: truth.plain(value) for name, value in state["prices"].items()}


def _stocks(state: Mapping[str, Any]) -> dict[str, str]:
    return {name: truth.plain(levels[LOCATION]) for name, levels in state["levels"].items()}


def _items(prices: Mapping[str, str], stocks: Mapping[str, str]) -> dict[str, str]:
    return {f"price {k}": v for k, v in prices.items()} | {f"stock {k}": v for k, v in stocks.items()}
