"""What the contract tests of this platform share."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from connectors.kit.contract import Account, Mapped, Observation, Page, Request, Response, Write
from connectors.kit.http import HttpSender
from connectors.kit.testing import Send, drive, read
from connectors.shopify import PLATFORM
from connectors.shopify.fake import FakeShopify
from connectors.shopify.poller import ShopifyPoller
from schemas.entities import EntityType, Op


def sending(sender: HttpSender, account: Account) -> Send:
    """How requests of one account go out."""

    async def send(request: Request) -> Response:
        return await sender.send(account, request)

    return send


def write(fake: FakeShopify, sku: str, kind: EntityType, op_id: str = "op-1", **record: Any) -> Write:
    """A set of one SKU's record, addressed as the courier would."""
    variant = fake.shop.by_sku(sku)
    aliases = {
        "variant_id": str(variant.id),
        "product_id": str(variant.product_id),
        "inventory_item_id": str(variant.item_id),
    }
    return Write(kind, Op.UPSERT, f"t1|{kind}|{sku}", 1, str(variant.id), aliases, {"sku": sku, **record}, (), op_id)


def stock(fake: FakeShopify, available: int, sku: str = "TEE-M", op_id: str = "op-1") -> Write:
    """Set the stock in Berlin."""
    record = {"location": "BER", "available": Decimal(available)}
    return write(fake, sku, EntityType.INVENTORY_LEVEL, op_id, **record)


def price(fake: FakeShopify, amount: str, sku: str = "TEE-M", op_id: str = "op-1") -> Write:
    """Set the price."""
    money = {"amount": Decimal(amount), "currency": "EUR", "tax": "INCLUDED"}
    return write(fake, sku, EntityType.PRICE, op_id, amount=money, compare_at=None)


async def poll(fake: FakeShopify, send: Send, resource: str, cursor: dict[str, Any]) -> tuple[list[Observation], Any]:
    """A whole pass: what it observed and the cursor it ended with."""
    poller, seen, account = ShopifyPoller(), list[Observation](), fake.account()
    while True:
        page: Page = await drive(poller.page(account, resource, cursor, fake.clock.now()), send)
        seen += page.observations
        cursor = dict(page.cursor)
        if page.done:
            return seen, cursor


def mapped(fake: FakeShopify, seen: list[Observation]) -> list[Mapped]:
    """The records of what was read."""
    records: list[Mapped] = []
    for one in seen:
        found = PLATFORM.mapping.map(fake.account(), read(fake.account(), one, fake.clock.now()))
        assert isinstance(found, list), found
        records += found
    return records
