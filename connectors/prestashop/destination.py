"""Writes and single reads at a shop through the webservice. Sans-I/O flows.

The webservice has no compare-and-swap and no idempotency key, but its stock and prices are absolute: every write reads
first, sends nothing when the shop holds the value already, and can be repeated after a lost reply. A PUT replaces the
whole record, so what was read goes back with one field changed; what changes in between in the back office is lost.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.kit import golden
from connectors.kit.contract import Account, Budget, Feedback, Flow, Observation, Request, Response, Write, Written
from connectors.kit.errors import Invalid, Unlinkable
from connectors.prestashop import records, settings, shipping, wire
from connectors.prestashop.poller import combinations_of, has_combinations, stock_of
from connectors.prestashop.records import Row
from schemas.entities import EntityType, Op

PRODUCT, STOCK_AVAILABLE = "product", "stock_available"
_TYPES = (EntityType.INVENTORY_LEVEL, EntityType.PRICE, EntityType.FULFILMENT)
_SUPPORTED = frozenset((kind, Op.UPSERT) for kind in _TYPES)
# Computed by the shop or kept beside the record: refused with code 93, or set by a side effect of their own. Leaving
# them out of a PUT leaves them as they are. Source: PrestaShop, classes/Product.php, webserviceParameters.
_NOT_SENT = frozenset(
    {
        "associations",
        "date_upd",
        "id_default_combination",
        "id_default_image",
        "manufacturer_name",
        "position_in_category",
        "quantity",
        "type",
    }
)
WriteFlow = Generator[Request, Response, Written]
FetchFlow = Generator[Request, Response, list[Observation]]


class PrestaShopDestination:
    """Implements contract.Destination."""

    def budget(self, account: Account) -> Budget:
        """Requests per second as the account's settings allow: the platform names no limit."""
        setting = settings.of(account)
        return Budget("rate", setting.rate, setting.burst, setting.max_in_flight)

    def supports(self, type: EntityType, op: Op) -> bool:
        """Stock levels and prices can be set, shipments told; nothing is deleted at a shop."""
        return (type, op) in _SUPPORTED

    def write(self, account: Account, write: Write) -> Flow:
        """Sets one stock level or price, or tells one shipment. See contract.Destination.write for what is raised."""
        if not self.supports(write.type, write.op):
            raise Invalid(f"{write.golden_key}: a shop cannot {write.op.name} a {write.type}", reason="unsupported")
        if write.type is EntityType.FULFILMENT:
            return shipping.ship(account, write)
        return _set_stock(account, write) if write.type is EntityType.INVENTORY_LEVEL else _set_price(account, write)

    def verify(self, account: Account, write: Write) -> Flow:
        """Whether a shipment was told; everything else is repeatable and never asked about. Raises Invalid."""
        if write.type is not EntityType.FULFILMENT:
            raise Invalid(f"{write.golden_key}: a {write.type} is set, not commanded", reason="unsupported")
        return shipping.look_up(account, write)

    def fetch(self, account: Account, resource: str, remote_id: str) -> Flow:
        """Reads `product` (an id; with its combinations, and its stock as records of their own) or `stock_available`
        (product id:combination id). Raises Invalid for another resource or a malformed id."""
        if resource == PRODUCT:
            return _fetch_product(account, remote_id)
        if resource == STOCK_AVAILABLE:
            return _fetch_stock(account, remote_id)
        raise Invalid(
            f"account {account.id!r}: cannot read a {resource!r}", hint=f"known: {PRODUCT}, {STOCK_AVAILABLE}"
        )

    def feedback(self, request: Request, response: Response) -> Feedback:
        """Refusals for the rate, and how long to wait; the platform reports no level."""
        return wire.feedback(response)


# ----------------------------------------------------------------------------------------------- stock


def _set_stock(account: Account, write: Write) -> WriteFlow:
    id_product, attribute = _variant(account, write)
    available = write.record.get("available")
    if available is None:
        return Written(no_op=True)  # the source does not count this item: there is no quantity to set
    wanted = _units(write, available)
    rows = yield from stock_of(account, f"[{id_product}]")
    row = _row_of(account, write, rows, attribute)
    observed = [one for one in records.stock(rows) if one.resource_id == records.variant_id(id_product, attribute)]
    if _held(row, "quantity") == wanted:
        return Written(no_op=True, observed=observed)
    if str(row.get("depends_on_stock")) == "1":
        raise Invalid(
            f"{write.golden_key}: the stock of product {id_product} at account {account.id!r} follows its warehouses",
            reason="depends_on_stock",
            hint="the shop ignores a quantity there; switch advanced stock management off for it or narrow the flow",
        )
    stored = yield from _replace(account, write, records.STOCK, {**row, "quantity": wanted})
    others = [stored if one is row else one for one in rows]
    return Written(observed=[one for one in records.stock(others) if one.resource_id == observed[0].resource_id])


def _row_of(account: Account, write: Write, rows: list[Row], attribute: str) -> Row:
    """The row of the variant. Raises Unlinkable when the shop has none, Invalid when it is a sum of others."""
    found = [row for row in rows if str(row["id_product_attribute"]) == attribute]
    if not found:
        raise _unknown(account, write)
    if attribute == "0" and len(rows) > 1:
        raise _has_combinations(account, write)
    return found[0]


def _units(write: Write, available: Decimal) -> int:
    if available != available.to_integral_value() or abs(available) >= 2**31:
        raise Invalid(f"{write.golden_key}: {available} units: a shop counts whole units of at most 2^31 - 1")
    return int(available)


# ----------------------------------------------------------------------------------------------- prices


def _set_price(account: Account, write: Write) -> WriteFlow:
    id_product, attribute = _variant(account, write)
    if write.fields and "amount" not in write.fields:
        return Written(no_op=True)
    wanted = _amount(account, write)
    product = yield from _existing(account, write, "products", id_product)
    if attribute == "0":
        return (yield from _set_product_price(account, write, product, wanted))
    combination = yield from _existing(account, write, "combinations", attribute)
    if str(combination.get("id_product")) != id_product:
        raise _unknown(account, write)
    impact = wanted - _held(product, "price")
    if _held(combination, "price") == impact or not _may_overwrite(
        account, write, wanted - impact + _held(combination, "price")
    ):
        return Written(no_op=True)  # an unheard edit of a combination is reported by the next scan
    yield from _replace(account, write, "combinations", {**combination, "price": golden.decimal_text(impact)})
    return Written()


def _set_product_price(account: Account, write: Write, product: Row, wanted: Decimal) -> WriteFlow:
    if has_combinations(product):
        raise _has_combinations(account, write)
    held = _held(product, "price")
    if held == wanted or not _may_overwrite(account, write, held):
        return Written(no_op=True, observed=[records.product(product, ())])
    stored = yield from _replace(account, write, "products", {**product, "price": golden.decimal_text(wanted)})
    return Written(observed=[records.product(stored, ())])


def _may_overwrite(account: Account, write: Write, held: Decimal) -> bool:
    """False when the price there is neither what was expected nor what is wanted: somebody edited it meanwhile."""
    setting = settings.of(account)
    comparable = golden.comparable_price(held, setting.currency, setting.price_tax)
    return write.overwrites(golden.content_fingerprint(Op.UPSERT, comparable))


def _amount(account: Account, write: Write) -> Decimal:
    """The amount in the shop's currency and tax basis. Raises Invalid when it would have to be converted."""
    money, setting = write.record["amount"], settings.of(account)
    held = f"{write.golden_key} at account {account.id!r}"
    hint = "nothing is converted implicitly; add a rule to the flow"
    if money["currency"] != setting.currency:
        detail = f"{held}: the price is in {money['currency']!r}, the shop sells in {setting.currency!r}"
        raise Invalid(detail, reason="basis_mismatch", hint=hint)
    if money["tax"] not in ("UNKNOWN", setting.price_tax):
        detail = f"{held}: the price has tax {money['tax']}, the shop's prices have it {setting.price_tax}"
        raise Invalid(detail, reason="basis_mismatch", hint=hint)
    return Decimal(golden.decimal_text(money["amount"]))


# ----------------------------------------------------------------------------------------------- shared


def _variant(account: Account, write: Write) -> tuple[str, str]:
    found = records.split_variant_id(write.aliases.get("variant_id") or write.remote_id)
    if found is None:
        raise _unknown(account, write)
    return found


def _existing(account: Account, write: Write, resource: str, remote_id: str) -> Generator[Request, Response, Row]:
    request = wire.read_one(account, resource, remote_id)
    found = wire.one(request, (yield request), resource)
    if found is None:
        raise _unknown(account, write)
    return found


def _replace(
    account: Account, write: Write, resource: str, fields: Mapping[str, Any]
) -> Generator[Request, Response, Row]:
    kept = fields if resource == records.STOCK else {k: v for k, v in fields.items() if k not in _NOT_SENT}
    request = wire.replace(account, resource, kept, write.op_id)
    stored = wire.one(request, (yield request), resource)
    if stored is None:
        raise _unknown(account, write)
    return stored


def _held(row: Row, name: str) -> Decimal:
    """A number of a row that was read. Raises Invalid, naming the field."""
    try:
        return Decimal(str(row.get(name)))
    except InvalidOperation:
        raise Invalid(f"record {row.get('id')}: {name} is {row.get(name)!r}", hint="expected a number") from None


def _unknown(account: Account, write: Write) -> Unlinkable:
    return Unlinkable(
        f"{write.golden_key}: account {account.id!r} has no such variant ({write.remote_id or 'never seen there'})",
        hint="poll the account or create the product",
    )


def _has_combinations(account: Account, write: Write) -> Invalid:
    return Invalid(
        f"{write.golden_key}: product {write.remote_id} at account {account.id!r} has combinations by now",
        reason="stale_link",
        hint="its own row is only their sum; give its combinations references and poll the account",
    )


# ----------------------------------------------------------------------------------------------- fetches


def _fetch_product(account: Account, remote_id: str) -> FetchFlow:
    request = wire.read_one(account, "products", remote_id)
    product = wire.one(request, (yield request), "products")
    if product is None:
        return [records.gone(records.PRODUCTS, remote_id)]
    combinations = yield from combinations_of(account, [product])
    rows = yield from stock_of(account, f"[{remote_id}]")
    return [records.product(product, combinations.get(remote_id, ())), *records.stock(rows)]


def _fetch_stock(account: Account, remote_id: str) -> FetchFlow:
    variant = records.split_variant_id(remote_id)
    if variant is None:
        raise Invalid(f"{remote_id!r} is not a variant's id", hint="expected product id:combination id, e.g. 4:16")
    rows = yield from stock_of(account, f"[{variant[0]}]")
    found = [one for one in records.stock(rows) if one.resource_id == remote_id]
    return found or [records.gone(records.STOCK, remote_id)]
