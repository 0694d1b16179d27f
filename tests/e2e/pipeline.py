"""A merchant's whole pipeline as real processes, and what tests of bad input do with it."""

from __future__ import annotations

import http.client
import itertools
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
from confluent_kafka import Producer

from connectors.shopify.fake.delivery import signature
from schemas import identity, topics
from schemas.codec import Codec, CodecError, Record
from schemas.entities import EntityType
from schemas.registry import RegistrySchemas
from schemas.registry_cache import SchemaCache
from schemas.registry_client import HttpRegistry
from schemas.topics import CATALOGUE, PROFILES
from streams.core.ledger import Book, total
from streams.runtime import ledgerbook
from streams.runtime.topicreader import Seen, TopicReader
from streams.stack import Endpoints
from streams.testing.merchant import BACK_OFFICE, LOCATION, SHOP, TENANT, WEBHOOK_SECRET, Faults, Merchant, Scale

DEADLINE = 30.0  # seconds a condition may take on a busy machine
QUIET = Faults(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
SCALE = Scale(skus=3, lateness=0.2, poll_interval=1.0, restore_rate=1000.0, bucket=2000.0, faults=QUIET)
RAW = topics.raw("shopify")
SHOP_DOMAIN = "sluice-fake.myshopify.com"
Headers = Sequence[tuple[str, bytes]]


def until(condition: Callable[[], Any], what: str, timeout: float = DEADLINE) -> Any:
    """Poll until the condition is true and return its value. Raises AssertionError with `what` after `timeout` s."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {timeout:.0f} s: {what}"
        time.sleep(0.05)
    return value


def partitions(topic: str) -> int:
    """How many partitions a topic of the catalogue has here."""
    return PROFILES["development"].partitions(CATALOGUE[topic].sizing)


def written(at: timedelta = timedelta()) -> str:
    """Now, or `at` from now, as the shop writes times."""
    return (datetime.now(UTC) + at).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Answer:
    """What the receiver said."""

    status: int
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """Where a record stands; `topic` is a catalogue name."""

    topic: str
    partition: int
    offset: int


class Pipeline:
    """The processes, and readers of what they wrote."""

    def __init__(self, merchant: Merchant) -> None:
        self.merchant = merchant
        self.kafka = {"bootstrap.servers": merchant.where.bootstrap}
        self.reader = TopicReader(self.kafka, merchant.prefix)
        registry = HttpRegistry(merchant.where.registry)
        self._schemas = RegistrySchemas(registry, SchemaCache(merchant.directory / "schemas", registry.address))
        self.codec = Codec(self._schemas)
        self._numbers = itertools.count(1)
        self._next_id = itertools.count(9_000_000)

    def check_alive(self) -> None:
        """Every process is the one that was started."""
        ended = [name for name, child in self.merchant.tree.children.items() if not child.alive]
        assert ended == [], f"these processes ended; see {self.merchant.directory}/logs"

    # -- the front door

    def deliver(self, topic: str, body: bytes, delivery: str = "", **changed: str) -> Answer:
        """A webhook of the shop; `changed` are headers, `path` the address. Returns the receiver's answer."""
        path = changed.pop("path", f"/webhooks/shopify/{TENANT}/{SHOP}")
        now = time.time_ns()
        headers = {
            "content-type": "application/json",
            "x-shopify-topic": topic,
            "x-shopify-hmac-sha256": signature(WEBHOOK_SECRET, body),
            "x-shopify-shop-domain": SHOP_DOMAIN,
            "x-shopify-webhook-id": delivery or str(uuid4()),
            "x-shopify-triggered-at": f"{written()[:-1]}.{now % 1_000_000_000:09d}Z",
        } | {name.replace("_", "-"): value for name, value in changed.items()}
        return self._post(path, headers, body)

    def announce(self, size: int) -> Answer:
        """A webhook whose head says how large its body will be; the body waits for the answer."""
        headers = {"content-length": str(size), "x-shopify-webhook-id": str(uuid4())}
        return self._post(f"/webhooks/shopify/{TENANT}/{SHOP}", headers, b"")

    def _post(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.merchant.ports["receiver"], timeout=10.0)
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # it answers before it has read everything
                connection.request("POST", path, body or None, dict(headers), encode_chunked=True)
            reply = connection.getresponse()
            content = reply.read()
        finally:
            connection.close()
        return Answer(reply.status, orjson.loads(content) if content.startswith(b"{") else {})

    # -- the log

    def raw(self, delivery: str) -> list[tuple[Place, Seen]]:
        """Where raw keeps a delivery."""
        wanted = ("ce_id", delivery.encode())
        return [(Place(RAW, one.partition, one.offset), one) for one in self.reader.read(RAW) if wanted in one.headers]

    def kept(self, delivery: str) -> tuple[Place, Seen]:
        """The one raw record of a delivery that was answered with 200."""
        found = self.raw(delivery)
        assert len(found) == 1, f"raw holds delivery {delivery} {len(found)} times"
        return found[0]

    def inject(self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers) -> Place:
        """A record that none of our processes would write."""
        offsets: list[int] = []
        producer = Producer({**self.kafka, "acks": "all"})
        producer.produce(
            self.merchant.prefix + topic,
            value,
            key,
            partition,
            headers=list(headers),
            on_delivery=lambda error, message: offsets.append(-1 if error else message.offset()),
        )
        assert producer.flush(10) == 0
        assert offsets >= [0], "the broker did not take the record"
        return Place(topic, partition, offsets[0])

    def frame(self, schema: str) -> bytes:
        """The head of a value with this schema, as the registry knows it."""
        return struct.pack(">bI", 0, self._schemas.id_of(schema))

    def letters(self, place: Place) -> list[Record]:
        """All dead letters of one record."""
        found = (self.codec.decode(one.value or b"") for one in self.reader.read(topics.DEAD_LETTERS))
        source = (place.topic, place.partition, place.offset)
        return [one for one in found if (one["source_topic"], one["source_partition"], one["source_offset"]) == source]

    def letter(self, place: Place) -> Record:
        """The one dead letter of a record, waited for."""
        found: list[Record] = until(lambda: self.letters(place), f"a dead letter for {place}")
        assert len(found) == 1, [one["detail"] for one in found]
        return found[0]

    def decoded(self, topic: str) -> list[Record]:
        """All values of a topic that can be read; tests put others beside them."""
        found = []
        for one in self.reader.read(topic):
            with suppress(CodecError):
                found.append(self.codec.decode(one.value or b""))
        return found

    def deliveries(self, fate: str) -> int:
        """How many deliveries of the shop the mapper's book counts with this fate."""
        entries = ledgerbook.entries(self.reader, ["shopify", "prestashop"])
        return total(entries)[Book.DELIVERIES, identity.join(TENANT, SHOP)][fate]

    # -- state

    def price(self, sku: str) -> Decimal | None:
        """The winning price of a SKU."""
        for record in self._state(EntityType.PRICE):
            if record["sku"] == sku:
                return Decimal(record["amount"]["amount"])
        return None

    def stock(self, sku: str) -> Decimal | None:
        """The winning stock of a SKU at the location both shops know."""
        for record in self._state(EntityType.INVENTORY_LEVEL):
            if (record["sku"], record["location"]) == (sku, LOCATION):
                return Decimal(record["available"])
        return None

    def _state(self, kind: EntityType) -> list[Record]:
        return [self.codec.decode(value) for value in self.reader.latest(topics.state(kind)).values()]

    def at_shop(self, sku: str) -> int:
        """What the online shop itself holds at that location."""
        return int(self.merchant.state(SHOP)["levels"][sku][LOCATION])

    def item(self, sku: str) -> int:
        """The id of a SKU's inventory item at the online shop."""
        return int(self.merchant.state(SHOP)["variants"][sku]["inventory_item_id"])

    # -- good records

    def delivery_to(self, partition: int) -> str:
        """A delivery id that raw keeps in this partition."""
        ids = (str(uuid4()) for _ in itertools.count())
        key = identity.join(SHOP).encode() + b"|"
        return next(one for one in ids if identity.partition(key + one.encode(), partitions(RAW)) == partition)

    def product(self, *skus: str, price: str = "1.00", **changed: Any) -> dict[str, Any]:
        """The body of a products/update of a product of its own."""
        product_id = next(self._next_id)
        variants = [
            {
                "id": next(self._next_id),
                "product_id": product_id,
                "inventory_item_id": next(self._next_id),
                "sku": sku,
                "price": price,
                "updated_at": written(),
            }
            for sku in skus
        ]
        body = {"id": product_id, "title": "Shirt", "status": "active", "updated_at": written(), "variants": variants}
        return body | changed

    def new_sku(self) -> str:
        """A SKU that nobody knows yet."""
        return f"E2E-{next(self._numbers)}"

    def goes_on(self, partition: int = 0, sku: str = "") -> None:
        """A good record through the same partition of raw, or about this SKU, arrives in `state`; nobody restarted."""
        sku = sku or self.new_sku()
        price = f"{next(self._numbers)}.37"
        body = orjson.dumps(self.product(sku, price=price))
        assert self.deliver("products/update", body, self.delivery_to(partition)).status == 200
        until(lambda: self.price(sku) == Decimal(price), f"the price of {sku} in state is {price}")
        self.check_alive()

    def courier_goes_on(self) -> None:
        """A good change of stock passes the courier's shard of the online shop."""
        sku, units = "SKU-1", next(self._numbers) + 1000
        self.merchant.edit(BACK_OFFICE, do="set_available", sku=sku, available=units)
        until(lambda: self.at_shop(sku) == units, f"the shop holds {units} of {sku}")
        self.check_alive()


def check_original(letter: Record, record: Seen) -> None:
    """A dead letter holds the record byte for byte, where it stood, and what to do next."""
    assert (letter["original_key"], letter["original_value"]) == (record.key, record.value)
    assert [(one["name"], one["value"]) for one in letter["original_headers"]] == list(record.headers)
    assert (letter["source_partition"], letter["source_offset"]) == (record.partition, record.offset)
    assert letter["next_command"].startswith("sluice ")


@contextmanager
def running(where: Endpoints, folder: Path) -> Iterator[Pipeline]:
    """Receiver, mapper, resolver and couriers with two shops, under a prefix of their own; all of them end with it."""
    merchant = Merchant(folder, where, SCALE, f"bad{uuid4().hex[:8]}.")
    try:
        merchant.start()
        pipeline = Pipeline(merchant)
        known = sorted(merchant.state(SHOP)["levels"])
        until(lambda: all(pipeline.stock(sku) is not None for sku in known), "the stock of all SKUs in state")
        yield pipeline
        pipeline.reader.close()
    finally:
        merchant.stop()
