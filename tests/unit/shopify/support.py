"""What the tests of this platform share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from connectors.kit.contract import Account, Envelope, Ignored, Mapped
from connectors.shopify import PLATFORM
from schemas.entities import Channel, EntityType, Op

DATA = Path(__file__).parents[2] / "data" / "shopify"
SETTINGS = {
    "shop_domain": "demo.myshopify.com",
    "currency": "EUR",
    "taxes_included": "true",
    "locations": "655441491=BER, 655441492=MUC",
    "ignored_locations": "888",
}
NOON = 1_772_362_800_000_000  # 2026-03-01T12:00:00+01:00
TRIGGERED = "2026-03-01T11:00:00.877041743Z"
TRIGGERED_NANOS = 1_772_362_800_877_041_743


def account(**settings: str) -> Account:
    """A shop that sells in euros with tax, with two locations."""
    secrets = {"webhook": ["new", "old"], "access_token": ["shpat_1"]}
    return Account("t1", "shop-1", "shopify", "https://demo.myshopify.com", {**SETTINGS, **settings}, secrets)


def body(file: str, /, **changes: Any) -> bytes:
    """A payload from tests/data/shopify with some of its top-level fields replaced."""
    raw = (DATA / f"{file}.json").read_bytes()
    return orjson.dumps({**orjson.loads(raw), **changes}) if changes else raw


def webhook(topic: str, payload: bytes, **headers: str) -> Envelope:
    """A delivery as raw holds it."""
    kept = {"x-shopify-topic": topic, "x-shopify-triggered-at": TRIGGERED, **headers}
    return Envelope("shop-1", Channel.WEBHOOK, topic, "d1", payload, kept, NOON + 1_000_000)


def fetched(topic: str, payload: bytes, op: Op = Op.UPSERT) -> Envelope:
    """A read as raw holds it."""
    at = NOON + 5_000_000
    return Envelope("shop-1", Channel.FETCH, topic, "r7", payload, {}, at + 9, "", at, 7, op)


def mapped(envelope: Envelope, **settings: str) -> list[Mapped]:
    """The records of an envelope that must not be ignored."""
    records = PLATFORM.mapping.map(account(**settings), envelope)
    assert not isinstance(records, Ignored), records.reason
    return records


def one(records: list[Mapped], kind: EntityType) -> Mapped:
    """The only record of a type."""
    found = [record for record in records if record.type is kind]
    assert len(found) == 1, found
    return found[0]
