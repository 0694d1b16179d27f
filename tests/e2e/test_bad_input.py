"""What is wrong is refused clearly or kept whole as a dead letter, and whatever comes behind it goes on."""

from __future__ import annotations

import struct
import time
from datetime import timedelta
from typing import Any

import orjson
import pytest

from connectors.kit import golden
from connectors.kit.contract import Account, Envelope
from connectors.shopify.fake.delivery import signature
from schemas import identity, topics
from schemas.entities import Channel, EntityType
from schemas.identity import GoldenKey
from streams.runtime import raw
from streams.runtime.topicreader import Seen
from streams.testing.merchant import BACK_OFFICE, LOCATION, LOCATION_ID, SHOP, TENANT, WEBHOOK_SECRET
from tests.e2e.pipeline import RAW, Pipeline, Place, check_original, partitions, until, written

pytestmark = pytest.mark.broker

HEADERS = [("first", b"\x00\xff"), ("twice", b"1"), ("twice", b""), ("umlaut", "ü".encode())]


def injected(pipeline: Pipeline, topic: str, partition: int, value: bytes | None, key: bytes | None) -> Place:
    """A strange record with headers; its place."""
    return pipeline.inject(topic, partition, key, value, HEADERS)


def check_injected(pipeline: Pipeline, place: Place, stage: str, reason: str, value: bytes | None, key: Any) -> None:
    """It became one dead letter that holds all of it."""
    letter = pipeline.letter(place)
    assert (letter["stage"], letter["reason"]) == (stage, reason), letter["detail"]
    check_original(letter, Seen(place.partition, place.offset, key, value, tuple(HEADERS), 0))


# -- the front door


def test_an_unknown_vendor_topic_is_kept_and_counted_as_ignored(pipeline: Pipeline) -> None:
    before = pipeline.deliveries("ignored")
    body = b'{"theme": "dark", "unicode": "\xc3\xbc"}'
    delivery = pipeline.delivery_to(0)
    assert pipeline.deliver("themes/publish", body, delivery).status == 200
    place, record = pipeline.kept(delivery)
    assert pipeline.codec.decode(record.value or b"")["body"] == body
    until(lambda: pipeline.deliveries("ignored") == before + 1, "the delivery is in the book")
    assert pipeline.letters(place) == []
    pipeline.goes_on(place.partition)


@pytest.mark.parametrize("signed", [b"another body", b""])
def test_a_wrong_signature_is_refused_and_leaves_no_trace(pipeline: Pipeline, signed: bytes) -> None:
    body = orjson.dumps(pipeline.product(pipeline.new_sku()))
    delivery = pipeline.delivery_to(1)
    forged = signature(WEBHOOK_SECRET, signed) if signed else signature("another secret", body)
    answer = pipeline.deliver("products/update", body, delivery, x_shopify_hmac_sha256=forged)
    assert (answer.status, answer.body["error"]) == (401, "bad_signature")
    assert WEBHOOK_SECRET not in str(answer.body)
    pipeline.goes_on(1)
    assert pipeline.raw(delivery) == []


@pytest.mark.parametrize("by", ["said", "sent"])
def test_a_body_that_is_too_large_is_refused_unread(pipeline: Pipeline, by: str) -> None:
    limit = 5 * 1024 * 1024
    delivery = pipeline.delivery_to(2)
    if by == "said":
        answer = pipeline.announce(limit + 1)
    else:
        answer = pipeline.deliver("products/update", b" " * (limit + 1), delivery, transfer_encoding="chunked")
    assert (answer.status, answer.body["error"]) == (413, "too_large")
    assert str(limit) in answer.body["detail"]
    pipeline.goes_on(2)
    assert pipeline.raw(delivery) == []


@pytest.mark.parametrize(
    "path",
    [
        f"/webhooks/shopify/{TENANT}/nobody",
        f"/webhooks/shopify/nobody/{SHOP}",
        f"/webhooks/prestashop/{TENANT}/{BACK_OFFICE}",
        f"/webhooks/unheard-of/{TENANT}/{SHOP}",
    ],
)
def test_an_unknown_route_says_which_account_is_not_there(pipeline: Pipeline, path: str) -> None:
    delivery = pipeline.delivery_to(0)
    answer = pipeline.deliver("products/update", b"{}", delivery, path=path)
    assert (answer.status, answer.body["error"]) == (404, "unknown_route")
    assert path.split("/")[-1] in answer.body["detail"]
    assert pipeline.raw(delivery) == []


# -- signed bodies that cannot be mapped


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"id": 1, "title": ', "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[1, 2]", "not an object"),
        (b'{"title": "a product without id"}', "$.id is missing"),
    ],
)
def test_a_signed_body_that_makes_no_sense_is_kept_and_dead(pipeline: Pipeline, body: bytes, says: str) -> None:
    delivery = pipeline.delivery_to(0)
    assert pipeline.deliver("products/update", body, delivery).status == 200
    place, record = pipeline.kept(delivery)
    assert pipeline.codec.decode(record.value or b"")["body"] == body
    letter = pipeline.letter(place)
    assert (letter["stage"], letter["reason"], letter["account"]) == ("mapper", "invalid", SHOP)
    assert says in letter["detail"]
    check_original(letter, record)
    pipeline.goes_on(place.partition)


def test_of_a_product_only_the_variant_without_sku_is_dead(pipeline: Pipeline) -> None:
    good = pipeline.new_sku()
    delivery = pipeline.delivery_to(1)
    body = orjson.dumps(pipeline.product("", good, price="4.25"))
    assert pipeline.deliver("products/update", body, delivery).status == 200
    place, record = pipeline.kept(delivery)
    letter = pipeline.letter(place)
    assert (letter["stage"], letter["reason"]) == ("mapper", "unlinkable")
    assert "no SKU" in letter["detail"]
    check_original(letter, record)
    until(lambda: str(pipeline.price(good)) == "4.250000", "the other variant is in state")
    pipeline.goes_on(place.partition)


# -- what has to be asked for


def level(pipeline: Pipeline, item: int, available: int, at: timedelta = timedelta()) -> tuple[Place, Seen, str]:
    """A webhook about a stock level."""
    delivery = pipeline.delivery_to(2)
    said = {
        "inventory_item_id": item,
        "location_id": int(LOCATION_ID),
        "available": available,
        "updated_at": written(at),
    }
    assert pipeline.deliver("inventory_levels/update", orjson.dumps(said), delivery).status == 200
    return (*pipeline.kept(delivery), delivery)


def fetches(pipeline: Pipeline, delivery: str) -> list[tuple[str, str, str]]:
    """(resource, id, reason) of what was asked for because of a delivery."""
    found = pipeline.decoded(topics.fetch("shopify"))
    return [(one["resource"], one["remote_id"], one["reason"]) for one in found if one["cause"].startswith(delivery)]


def read(pipeline: Pipeline, item: int) -> list[tuple[Place, Seen, Any]]:
    """What the courier read of an inventory item."""
    records = [(one, pipeline.codec.decode(one.value or b"")) for one in pipeline.reader.read(RAW)
               if ("ce_subject", str(item).encode()) in one.headers]  # fmt: skip
    return [
        (Place(RAW, seen.partition, seen.offset), seen, record)
        for seen, record in records
        if (record["channel"], record["topic"]) == ("fetch", "inventory_item")
    ]


def test_stock_of_an_item_without_sku_is_looked_up_and_then_dead(pipeline: Pipeline) -> None:
    pipeline.merchant.edit(SHOP, do="create_product", title="Nameless", variants={"": "3.00"}, stock=1)
    item = pipeline.item("")
    _, _, delivery = level(pipeline, item, 7)
    asked = until(lambda: fetches(pipeline, delivery), "the item is asked for")
    assert asked == [("inventory_item", str(item), "unlinked")]
    place, record, _ = until(lambda: read(pipeline, item), "the item was read")[0]
    letters = until(lambda: pipeline.letters(place), "what was read is dead, too")
    assert {(one["stage"], one["reason"]) for one in letters} == {("mapper", "unlinkable")}
    assert {kind for one in letters for kind in ("variant", "inventory_level") if kind in one["detail"]} == {
        "variant",
        "inventory_level",
    }
    for letter in letters:
        check_original(letter, record)
    pipeline.goes_on(place.partition)
    pipeline.courier_goes_on()


def test_stock_of_an_item_that_is_gone_is_looked_up_and_needs_nobody(pipeline: Pipeline) -> None:
    item = 987_654_321
    place, _, delivery = level(pipeline, item, 7)
    until(lambda: fetches(pipeline, delivery), "the item is asked for")
    answer, _, record = until(lambda: read(pipeline, item), "the shop said that it is gone")[0]
    assert record["op"] == "delete"
    pipeline.goes_on(answer.partition)
    assert pipeline.letters(place) + pipeline.letters(answer) == []


def test_a_version_from_the_future_is_read_again_and_never_obeyed(pipeline: Pipeline) -> None:
    sku = pipeline.new_sku()
    pipeline.merchant.edit(SHOP, do="create_product", title="Mine alone", variants={sku: "2.00"}, stock=4)
    item = pipeline.item(sku)
    until(lambda: pipeline.stock(sku) == 4, "the good value is in state")
    place, record, delivery = level(pipeline, item, 999, timedelta(hours=1))
    letter = pipeline.letter(place)
    assert (letter["stage"], letter["reason"]) == ("mapper", "version_from_future")
    assert "clock_offset" in letter["detail"]
    check_original(letter, record)
    until(lambda: fetches(pipeline, delivery), "the level is read again")
    assert fetches(pipeline, delivery) == [("inventory_item", str(item), "quarantined")]
    answer, _, _ = until(lambda: read(pipeline, item), "the item was read")[-1]
    pipeline.goes_on(answer.partition)
    assert pipeline.stock(sku) == 4
    pipeline.merchant.edit(SHOP, do="set_available", sku=sku, location=LOCATION, available=6)
    until(lambda: pipeline.stock(sku) == 6, "later changes of this level are obeyed")
    values = {record["available"] for record in pipeline.decoded(topics.state(EntityType.INVENTORY_LEVEL))}
    assert 999 not in values


def test_negative_stock_is_legal_and_arrives_as_it_is(pipeline: Pipeline) -> None:
    sku = "SKU-2"
    pipeline.merchant.edit(BACK_OFFICE, do="set_available", sku=sku, available=-5)
    until(lambda: pipeline.stock(sku) == -5, "state holds -5")
    until(lambda: pipeline.at_shop(sku) == -5, "the online shop holds -5")
    pipeline.merchant.edit(BACK_OFFICE, do="set_available", sku=sku, available=12)
    until(lambda: pipeline.at_shop(sku) == 12, "it comes back above zero")


def test_negative_stock_of_the_online_shop_is_legal_too(pipeline: Pipeline) -> None:
    sku = pipeline.new_sku()
    pipeline.merchant.edit(SHOP, do="create_product", title="Oversold", variants={sku: "2.00"}, stock=1)
    until(lambda: pipeline.stock(sku) == 1, "the stock before is in state")
    pipeline.merchant.edit(SHOP, do="set_available", sku=sku, location=LOCATION, available=-3)
    until(lambda: pipeline.stock(sku) == -3, "state holds -3")


# -- records in the log that nobody of ours wrote


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (struct.pack(">bI", 0, 999_999) + b"whatever", "unknown_schema"),
        (b"FRAME\x06", "undecodable"),
        (b"no frame at all", "undecodable"),
        (b"", "undecodable"),
        (None, "undecodable"),
    ],
)
def test_a_raw_record_that_cannot_be_read_is_dead(pipeline: Pipeline, value: bytes | None, reason: str) -> None:
    if value and value.startswith(b"FRAME"):
        value = value.replace(b"FRAME", pipeline.frame("raw_envelope"))
    place = injected(pipeline, RAW, 1, value, b"shop|strange")
    check_injected(pipeline, place, "mapper", reason, value, b"shop|strange")
    pipeline.goes_on(1)


def test_a_raw_record_of_an_account_that_was_removed_is_dead(pipeline: Pipeline) -> None:
    envelope = Envelope("removed", Channel.WEBHOOK, "products/update", "d1", b"{}", {"a": "b"}, time.time_ns() // 1000)
    record = raw.to_record(Account(TENANT, "removed", "shopify", ""), envelope)
    value = pipeline.codec.encode("raw_envelope", record)
    place = injected(pipeline, RAW, 2, value, b"removed|d1")
    check_injected(pipeline, place, "mapper", "unknown_account", value, b"removed|d1")
    pipeline.goes_on(2)


@pytest.mark.parametrize("fault", ["no header", "no key"])
def test_an_event_without_header_or_key_is_dead(pipeline: Pipeline, fault: str) -> None:
    sku = pipeline.new_sku()
    key = str(GoldenKey(TENANT, EntityType.PRICE, golden.price(sku, "EUR")))
    partition = identity.golden_partition(key, partitions(topics.INBOUND))
    given = None if fault == "no key" else key.encode()
    place = injected(pipeline, topics.INBOUND, partition, b"some value", given)
    check_injected(pipeline, place, "resolver", "invalid_header", b"some value", given)
    pipeline.goes_on(sku=sku)


@pytest.mark.parametrize("topic", [topics.push("shopify"), topics.push_bulk("shopify"), topics.fetch("shopify")])
@pytest.mark.parametrize("framed", [True, False])
def test_work_that_cannot_be_read_is_dead(pipeline: Pipeline, topic: str, framed: bool) -> None:
    partition = identity.account_partition(TENANT, SHOP, partitions(topic))
    value = (pipeline.frame(topics.CATALOGUE[topic].schemas[0]) if framed else b"") + b"\xff\xff\xff\xff"
    place = injected(pipeline, topic, partition, value, b"strange")
    check_injected(pipeline, place, "courier", "undecodable", value, b"strange")
    pipeline.courier_goes_on()


def task(account: str, record: bytes) -> dict[str, Any]:
    """A push task for a price."""
    now = time.time_ns() // 1000
    return {
        "tenant": TENANT,
        "account": account,
        "platform": "shopify",
        "type": "price",
        "golden_key": str(GoldenKey(TENANT, EntityType.PRICE, golden.price("TASK", "EUR"))),
        "golden_version": now,
        "kind": "set",
        "op": "upsert",
        "flow": "price",
        "fields": ["amount"],
        "lane": "normal",
        "fingerprint": b"12345678",
        "expected": None,
        "record": record,
        "operation_id": None,
        "wanted_at": now,
        "origin_at": now,
    }


@pytest.mark.parametrize(("account", "reason"), [(SHOP, "invalid"), ("removed", "unknown_account")])
def test_a_task_that_nobody_can_carry_out_is_dead(pipeline: Pipeline, account: str, reason: str) -> None:
    topic = topics.push("shopify")
    value = pipeline.codec.encode("push_task", task(account, b"no record"))
    place = injected(pipeline, topic, identity.account_partition(TENANT, SHOP, partitions(topic)), value, b"strange")
    letter = pipeline.letter(place)
    assert (letter["stage"], letter["reason"], letter["account"]) == ("courier", reason, account)
    assert letter["original_value"] == value
    pipeline.courier_goes_on()
