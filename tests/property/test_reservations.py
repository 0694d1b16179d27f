"""Laws of reservations: what an order holds is what its newest delivery says, in whatever order deliveries come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from hypothesis import given
from hypothesis import strategies as st

from connectors.kit import golden
from connectors.kit.contract import Account, Envelope, Platform
from connectors.prestashop import PLATFORM as PRESTASHOP
from connectors.prestashop import times
from connectors.shopify import PLATFORM as SHOPIFY
from schemas.entities import Channel, EntityType, Op
from schemas.identity import GoldenKey, InvalidKey, golden_partition
from streams.mapper.plan import Event, plan
from streams.runtime.xref import MemoryXref

NOON = 1_772_362_800_000_000
SECOND = 1_000_000
ZONE = ZoneInfo("Europe/Paris")
SKUS = ("TEE-S", "TEE-M", "TEE-M", "")
SHOP = Account("t1", "shop", "shopify", "https://x", {"currency": "EUR", "locations": "1=BER, 2=MUC"})
PRESTA = Account("t1", "shop", "prestashop", "https://x", {"currency": "EUR", "timezone": "Europe/Paris"})


@dataclass(frozen=True)
class Moment:
    """An order at one time. `ordered` and `gone`: units per line; `shipped`: of those gone, the shipped ones."""

    second: int
    ordered: tuple[int, ...]
    gone: tuple[int, ...]
    shipped: tuple[int, ...]
    state: str

    @property
    def held(self) -> dict[str, Decimal]:
        """Units by line id, worked out without the mapping."""
        if self.state not in ("open", "unknown"):
            return {}
        units = enumerate(zip(SKUS, self.ordered, self.gone, strict=False), 1)
        return {str(line): Decimal(all_ - gone) for line, (sku, all_, gone) in units if sku and all_ > gone}


@st.composite
def lives(draw: st.DrawFn, states: Sequence[str], *, parts: bool) -> list[Moment]:
    """An order from its first delivery to its last; some share a second. `parts`: lines are shipped and removed one
    by one; without, a line only changes its quantity."""
    second, life = 0, []
    for _ in range(draw(st.integers(1, 6))):
        second += draw(st.integers(0, 2))
        ordered = tuple(draw(st.integers(0, 4)) for _ in SKUS)
        gone = tuple(draw(st.integers(0, units)) if parts else 0 for units in ordered)
        shipped = tuple(draw(st.integers(0, units)) for units in gone)
        life.append(Moment(second, ordered, gone, shipped, draw(st.sampled_from(states))))
    return life


def webhook(number: int, now: Moment, *, trimmed: bool) -> Envelope:
    """What Shopify sends of an order; `trimmed`: without the quantity that it works out itself."""
    at = times.text(NOON + now.second * SECOND, ZoneInfo("UTC")).replace(" ", "T") + "Z"
    lines = [_line(at_, now, trimmed=trimmed) for at_ in range(len(SKUS))]
    shipped = [{"id": line + 1, "quantity": units} for line, units in enumerate(now.shipped)]
    back = [
        {"line_item_id": line + 1, "quantity": units, "restock_type": how}
        for line, (gone, sent) in enumerate(zip(now.gone, now.shipped, strict=True))
        for units, how in ((gone - sent, "cancel"), (sent // 2, "return"))
    ]
    body = {
        "id": 42, "name": "#1", "currency": "EUR", "total_price": "1", "created_at": at, "updated_at": at,
        "cancelled_at": at if now.state == "cancelled" else None, "closed_at": at if now.state == "closed" else None,
        "fulfillment_status": "fulfilled" if now.state == "fulfilled" else None, "line_items": lines,
        "fulfillments": [{"status": "success", "line_items": shipped}, {"status": "failure", "line_items": shipped}],
        "refunds": [{"refund_line_items": back}],
    }  # fmt: skip
    trigger = times.text(NOON + now.second * SECOND, ZoneInfo("UTC")).replace(" ", "T") + f".{number:09d}Z"
    headers = {"x-shopify-triggered-at": trigger}
    delivery = f"d{number}"
    return Envelope(
        "shop", Channel.WEBHOOK, "orders/updated", delivery, orjson.dumps(body), headers, NOON + 60 * SECOND
    )


def _line(at: int, now: Moment, *, trimmed: bool) -> dict[str, Any]:
    ordered, gone, sent = now.ordered[at], now.gone[at], now.shipped[at]
    line = {"id": at + 1, "sku": SKUS[at], "quantity": ordered, "current_quantity": ordered - (gone - sent) - sent // 2}
    return line if trimmed else {**line, "fulfillable_quantity": ordered - gone}


STATES = {"open": "2", "fulfilled": "4", "closed": "5", "cancelled": "6", "unknown": "99"}


def read(number: int, now: Moment) -> Envelope:
    """What a poll of PrestaShop reads of an order, one read after the other."""
    at = times.text(NOON + now.second * SECOND, ZONE)
    rows = [
        {"id": str(line), "product_reference": sku, "product_quantity": str(units)}
        for line, (sku, units) in enumerate(zip(SKUS, now.ordered, strict=True), 1)
    ]
    order = {
        "id": 42, "current_state": STATES[now.state], "date_add": at, "date_upd": at, "total_paid": "1",
        "associations": {"order_rows": rows},
    }  # fmt: skip
    started = NOON + now.second * SECOND + number
    body = orjson.dumps({"order": order})
    return Envelope(
        "shop", Channel.POLL, "orders", f"r{number}", body, {}, started + 9, "42", started, number + 1
    )  # fmt: skip


def events(account: Account, platform: Platform, envelopes: Iterable[Envelope]) -> list[Event]:
    """What the mapper makes of them, the reservations only. Fails when anything of them is refused."""
    found: list[Event] = []
    for envelope in envelopes:
        made = plan(account, platform.mapping, envelope, MemoryXref(), clocks=platform.clocks)
        assert made.troubles == []
        found += [event for event in made.events if event.key.type is EntityType.RESERVATION]
    return found


def folded(arrived: Iterable[Event]) -> dict[str, Decimal]:
    """Units by line id after the highest version of every reservation has won."""
    winners: dict[str, Event] = {}
    for event in arrived:
        before = winners.get(str(event.key))
        if before is None or event.header.version.pack() > before.header.version.pack():
            winners[str(event.key)] = event
    return {
        event.record["line"]: event.record["quantity"]
        for event in winners.values()
        if event.header.op is Op.UPSERT
    }  # fmt: skip


@given(st.data(), st.booleans())
def test_a_shopify_order_holds_what_its_newest_webhook_says(data: st.DataObject, trimmed: bool) -> None:
    life = data.draw(lives(["open", "open", "fulfilled", "closed", "cancelled"], parts=True))
    sent = events(SHOP, SHOPIFY, [webhook(number, now, trimmed=trimmed) for number, now in enumerate(life)])
    assert folded(data.draw(st.permutations([*sent, *sent[:3]]))) == life[-1].held


@given(st.data())
def test_a_prestashop_order_holds_what_its_newest_read_says(data: st.DataObject) -> None:
    life = data.draw(lives(["open", "open", *STATES], parts=False))
    polled = events(PRESTA, PRESTASHOP, [read(number, now) for number, now in enumerate(life)])
    assert folded(data.draw(st.permutations([*polled, *polled[:3]]))) == life[-1].held


TEXT = st.text(min_size=1, max_size=12)


@given(TEXT, TEXT, TEXT, TEXT, TEXT, st.integers(1, 100))
def test_a_reservation_shares_the_partition_of_its_level(
    sku: str, location: str, account: str, order: str, line: str, count: int
) -> None:
    try:
        level = str(GoldenKey("t1", EntityType.INVENTORY_LEVEL, golden.inventory_level(sku, location)))
        taken = str(GoldenKey("t1", EntityType.RESERVATION, golden.reservation(sku, location, account, order, line)))
    except InvalidKey:
        return
    assert golden_partition(taken, count) == golden_partition(level, count)
    prefix = level.replace(EntityType.INVENTORY_LEVEL, EntityType.RESERVATION, 1)
    assert taken.startswith(f"{prefix}~")
