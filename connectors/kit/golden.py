"""Golden ids and comparable values: where the records of two platforms meet. Pure.

A platform's mapping calls these and nothing else, so that a SKU sold in two shops gets one id and one fingerprint
whichever shop is heard first. The texts below are a contract: changing one changes every fingerprint, so it needs a
new mapping revision on every platform.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Context, Decimal
from typing import Any

import orjson

from schemas import identity
from schemas.entities import Op

DEFAULT_PRICE_LIST = "default"

# Wider than the schemas' decimal(20, 6), and independent of the thread's context.
_CONTEXT = Context(prec=60)
_SCALE = Decimal("0.000001")


# ----------------------------------------------------------------------------------------------- golden ids


def variant(sku: str) -> str:
    """The normalised SKU, encoded as a component: what a price or a level of it begins with, to the letter.

    Raises identity.InvalidKey for a SKU without a visible character.
    """
    return identity.composite(identity.normalise_sku(sku))


def price(sku: str, currency: str, price_list: str = DEFAULT_PRICE_LIST) -> str:
    """SKU~price list~currency. Raises identity.InvalidKey for a SKU without a visible character."""
    return identity.extend(variant(sku), price_list, currency)


def inventory_level(sku: str, location: str) -> str:
    """SKU~location code. Raises identity.InvalidKey for a SKU without a visible character."""
    return identity.extend(variant(sku), location)


def reservation(sku: str, location: str, account: str, order_id: str, line_id: str) -> str:
    """SKU~location code~account~order id~line id: begins as its level's id does, so that both are in one shard.

    Raises identity.InvalidKey for a SKU without a visible character and for a part that is empty.
    """
    return identity.extend(inventory_level(sku, location), account, order_id, line_id)


def product(skus: Iterable[str], account: str, remote_id: str) -> str:
    """The smallest normalised SKU of its variants; without any SKU the product is its account's own."""
    normal = sorted(identity.normalise_sku(sku) for sku in skus if sku and sku.strip())
    return identity.composite(normal[0]) if normal else _own(account, remote_id)


def order(account: str, remote_id: str) -> str:
    """account:order id: an order belongs to the shop where it was placed.

    One component, so that a shop's orders spread over all shards, and an order's fulfilments share its own.
    """
    return _own(account, remote_id)


def placed_at(golden_id: str) -> tuple[str, str]:
    """(account, order id) of an order, or of something whose golden id begins with its order's: where it was placed.

    Raises identity.InvalidKey for a golden id of another shape.
    """
    root = golden_id.split(identity.COMPONENT, 1)[0].replace("%7E", identity.COMPONENT).replace("%25", "%")
    account, _, remote_id = root.partition(":")
    if not account or not remote_id:
        raise identity.InvalidKey(f"{golden_id!r} does not begin with an account and an order id")
    return account, remote_id


def fulfilment(order: str, account: str, remote_id: str) -> str:
    """Order's golden id~account that ships~shipment id: in the shard of its order. `order` as `order` returns it."""
    return identity.extend(order, account, remote_id)


def _own(account: str, remote_id: str) -> str:
    """Account names hold no colon, so no two records get one id."""
    if not account or not remote_id:
        raise identity.InvalidKey(f"a record of an account needs both names: {account!r}, {remote_id!r}")
    return identity.composite(f"{account}:{remote_id}")


# ----------------------------------------------------------------------------------------------- comparable values


def content_fingerprint(op: Op, comparable: Sequence[str]) -> bytes:
    """8 bytes, equal where two accounts hold the same business values; all deletions of a type are equal."""
    text = "\x1f".join((op.name, *comparable)) if op is Op.UPSERT else op.name
    return identity.fingerprint(text.encode("utf-8", "surrogatepass"))


def decimal_text(value: Decimal) -> str:
    """Plain decimal text without exponent or trailing zeros, at most six digits behind the point: 12.50 -> "12.5".

    Raises decimal.InvalidOperation (an ArithmeticError) for a value that is not finite.
    """
    text = format(value.quantize(_SCALE, context=_CONTEXT).normalize(_CONTEXT), "f")
    return "0" if text == "-0" else text


def comparable_price(amount: Decimal, currency: str, tax: str) -> tuple[str, ...]:
    """Amount, ISO 4217 currency, tax basis as the schema's symbol (INCLUDED, EXCLUDED, UNKNOWN)."""
    return (decimal_text(amount), currency, tax)


def comparable_inventory_level(available: Decimal | None) -> tuple[str, ...]:
    """Units that may be sold now; the empty text where the platform does not count the item."""
    return ("" if available is None else decimal_text(available),)


def comparable_variant(sku: str, barcode: str | None) -> tuple[str, ...]:
    """Normalised SKU (the empty text without one) and barcode."""
    return (identity.normalise_sku(sku) if sku.strip() else "", barcode or "")


def comparable_product(title: str | None, status: str) -> tuple[str, ...]:
    """Title and the schema's status symbol."""
    return (title or "", status)


def comparable_order(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """The whole canonical record as JSON with sorted keys and decimals as text: an order has one origin only."""
    return (orjson.dumps(fields, option=orjson.OPT_SORT_KEYS, default=_decimal_as_text).decode(),)


def comparable_fulfilment(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """The whole canonical record, as of an order: one shipper says it, and the shop is told."""
    return comparable_order(fields)


def comparable_reservation(quantity: Decimal) -> tuple[str, ...]:
    """Units that the order line holds."""
    return (decimal_text(quantity),)


def _decimal_as_text(value: Any) -> str:
    if isinstance(value, Decimal):
        return decimal_text(value)
    raise TypeError(f"no canonical text for {type(value).__name__}")
