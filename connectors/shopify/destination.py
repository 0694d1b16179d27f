"""Writes and single reads at a shop through the GraphQL Admin API. Sans-I/O flows.

Stock is set absolutely with compare-and-swap switched off: the version gate in front of the courier has decided
already, and an absolute set can be repeated. Source: shopify.dev, inventorySetQuantities and
productVariantsBulkUpdate; idempotency by directive, optional in 2026-01 and required from 2026-04.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

import orjson

from connectors.kit import golden
from connectors.kit.contract import Account, Budget, Feedback, Flow, Observation, Request, Response, Write, Written
from connectors.kit.errors import Invalid, Unlinkable
from connectors.kit.money import in_minor_units
from connectors.shopify import fulfilling, graphql, queries, reads, settings
from connectors.shopify.context import INVENTORY_ITEM, PRODUCT
from connectors.shopify.payload import gid
from schemas.entities import EntityType, Op

_IDEMPOTENT_SINCE = "2026-01"
_KEYS_PER_WRITE = 3
_TYPES = (EntityType.INVENTORY_LEVEL, EntityType.PRICE, EntityType.FULFILMENT)
_SUPPORTED = frozenset((kind, Op.UPSERT) for kind in _TYPES)
WriteFlow = Generator[Request, Response, Written]


class ShopifyDestination:
    """Implements contract.Destination."""

    def budget(self, account: Account) -> Budget:
        """Cost points of the GraphQL bucket, Standard plan unless the account's settings say otherwise."""
        rate = settings.seconds(account, "restore_rate", 100.0)
        return Budget("level", rate, settings.seconds(account, "bucket", 2000.0), max_in_flight=16)

    def supports(self, type: EntityType, op: Op) -> bool:
        """Stock levels and prices can be set, shipments told; nothing is deleted at a shop."""
        return (type, op) in _SUPPORTED

    def write(self, account: Account, write: Write) -> Flow:
        """Sets one stock level or price, or tells one shipment. See contract.Destination.write for what is raised."""
        if not self.supports(write.type, write.op):
            raise Invalid(f"{write.golden_key}: a shop cannot {write.op.name} a {write.type}", reason="unsupported")
        if write.type is EntityType.FULFILMENT:
            return fulfilling.fulfil(account, write)
        return _set_level(account, write) if write.type is EntityType.INVENTORY_LEVEL else _set_price(account, write)

    def verify(self, account: Account, write: Write) -> Flow:
        """Whether a shipment was told; everything else is repeatable and never asked about. Raises Invalid."""
        if write.type is not EntityType.FULFILMENT:
            raise Invalid(f"{write.golden_key}: a {write.type} is set, not commanded", reason="unsupported")
        return fulfilling.look_up(account, write)

    def fetch(self, account: Account, resource: str, remote_id: str) -> Flow:
        """Reads `product` or `inventory_item`. Raises Invalid for another resource."""
        if resource == PRODUCT:
            return reads.product(account, remote_id)
        if resource == INVENTORY_ITEM:
            return reads.inventory_item(account, remote_id)
        raise Invalid(f"account {account.id!r}: cannot read a {resource!r}", hint=f"known: {PRODUCT}, {INVENTORY_ITEM}")

    def feedback(self, request: Request, response: Response) -> Feedback:
        """Level, limit, restore rate and cost as the reply states them."""
        return graphql.feedback(response)


# ----------------------------------------------------------------------------------------------- stock


def _set_level(account: Account, write: Write) -> WriteFlow:
    available = write.record.get("available")
    if available is None:
        return Written(no_op=True)  # the source does not count this item: there is no quantity to set
    entry: dict[str, Any] = {
        "inventoryItemId": gid("InventoryItem", _alias(account, write, "inventory_item_id")),
        "locationId": gid("Location", _location(account, write)),
        "quantity": _units(write, available),
    }
    with_key = settings.api_version(account) >= _IDEMPOTENT_SINCE
    fields: dict[str, Any] = {
        "name": "available",
        "reason": "correction",
        "referenceDocumentUri": f"sluice://{quote(write.op_id, safe='')}",
        "quantities": [{**entry, "changeFromQuantity": None} if with_key else entry],
    }
    if not with_key:
        fields["ignoreCompareQuantity"] = True
    yield from _until_a_key_works(account, write, fields, with_key=with_key)
    return Written()


def _until_a_key_works(
    account: Account, write: Write, fields: Mapping[str, Any], *, with_key: bool
) -> Generator[Request, Response, None]:
    """Send with a key that depends on operation and body only, so that a repeat after a lost reply is recognised.

    A key whose first attempt failed inside the shop is burnt for 24 hours; the next one is as deterministic.
    """
    for attempt in range(_KEYS_PER_WRITE):
        variables: dict[str, Any] = {"input": fields}
        if with_key:
            variables["key"] = idempotency_key(write.op_id, fields, attempt)
        document = queries.SET_QUANTITIES_IDEMPOTENT if with_key else queries.SET_QUANTITIES
        sent = _mutation(account, write, "set_stock", document, variables)
        reply = yield sent
        try:
            graphql.payload(sent, reply, "inventorySetQuantities")
            return
        except graphql.AttemptFailed:
            if attempt + 1 == _KEYS_PER_WRITE:
                raise


def idempotency_key(op_id: str, fields: Mapping[str, Any], attempt: int) -> str:
    """A UUID that names one operation with one body."""
    body = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()
    return str(uuid5(NAMESPACE_URL, f"sluice://{op_id}#{attempt}\n{body}"))


def _units(write: Write, available: Decimal) -> int:
    if available != available.to_integral_value() or abs(available) > 1_000_000_000:
        raise Invalid(f"{write.golden_key}: {available} units: a shop counts whole units up to a billion")
    return int(available)


def _location(account: Account, write: Write) -> str:
    code = str(write.record.get("location", ""))
    found = settings.locations(account).id_of.get(code)
    if found is None:
        raise Unlinkable(
            f"{write.golden_key}: account {account.id!r} has no location {code!r}",
            hint="add <id>=<code> to the account's setting locations, or narrow the flow",
        )
    return found


# ----------------------------------------------------------------------------------------------- prices


def _set_price(account: Account, write: Write) -> WriteFlow:
    variant: dict[str, Any] = {"id": gid("ProductVariant", _alias(account, write, "variant_id"))}
    if not write.fields or "amount" in write.fields:
        variant["price"] = _amount(account, write, write.record["amount"])
    if not write.fields or "compare_at" in write.fields:
        compare_at = write.record.get("compare_at")
        variant["compareAtPrice"] = None if compare_at is None else _amount(account, write, compare_at)
    if len(variant) == 1:
        return Written(no_op=True)
    variables = {"productId": gid("Product", _alias(account, write, "product_id")), "variants": [variant]}
    if write.expected is not None:
        found = yield from reads.ask(
            account, "read_price", queries.PRICE, {"id": variant["id"]}, queries.PRICE_COST, "productVariant"
        )
        if isinstance(found, dict) and _holds(found, variant):
            return Written(no_op=True, observed=[_observed(found)], holds=True)
        if isinstance(found, dict) and not _may_overwrite(account, write, found):
            return Written(no_op=True, observed=[_observed(found)])
    sent = _mutation(account, write, "set_price", queries.SET_PRICES, variables)
    reply = yield sent
    result = graphql.payload(sent, reply, "productVariantsBulkUpdate")
    changed = result.get("productVariants")
    nodes = [node for node in changed if isinstance(node, dict)] if isinstance(changed, list) else []
    return Written(observed=[_observed(node) for node in nodes])


def _may_overwrite(account: Account, write: Write, node: Mapping[str, Any]) -> bool:
    """False when the price there is neither what was expected nor what is wanted: somebody edited it meanwhile."""
    held = Decimal(str(node.get("price")))
    comparable = golden.comparable_price(held, settings.currency(account), settings.tax_basis(account))
    return write.overwrites(golden.content_fingerprint(Op.UPSERT, comparable))


def _holds(node: Mapping[str, Any], variant: Mapping[str, Any]) -> bool:
    """Whether every amount there is the one that would be sent."""
    wanted = {name: value for name, value in variant.items() if name != "id"}
    return all(_same(node.get(name), value) for name, value in wanted.items())


def _same(held: Any, wanted: Any) -> bool:
    return held is wanted if held is None or wanted is None else Decimal(str(held)) == Decimal(str(wanted))


def _observed(node: Mapping[str, Any]) -> Observation:
    return reads.seen("variant", str(node.get("id", "")).rpartition("/")[2], node)


def _amount(account: Account, write: Write, money: Mapping[str, Any]) -> str:
    """The amount as text, with as many digits as the shop keeps. Raises Invalid when currency or tax basis would have
    to be converted."""
    currency, basis = settings.currency(account), settings.tax_basis(account)
    if money["currency"] != currency:
        raise _basis_mismatch(account, write, f"the price is in {money['currency']!r}, the shop sells in {currency!r}")
    if "UNKNOWN" not in {basis, money["tax"]} and money["tax"] != basis:
        raise _basis_mismatch(account, write, f"the price has tax {money['tax']}, the shop's prices have it {basis}")
    return golden.decimal_text(in_minor_units(money["amount"], currency))


def _basis_mismatch(account: Account, write: Write, why: str) -> Invalid:
    detail = f"{write.golden_key} at account {account.id!r}: {why}"
    return Invalid(detail, reason="basis_mismatch", hint="nothing is converted implicitly; add a rule to the flow")


# ----------------------------------------------------------------------------------------------- shared


def _mutation(account: Account, write: Write, operation: str, document: str, variables: Mapping[str, Any]) -> Request:
    cost = queries.MUTATION_COST
    return graphql.request(account, operation, document, variables, cost=cost, op_id=write.op_id, writes=True)


def _alias(account: Account, write: Write, name: str) -> str:
    found = write.aliases.get(name, "")
    if not found:
        raise Unlinkable(
            f"{write.golden_key}: its {name} at account {account.id!r} is not known",
            hint="the SKU was never seen there; poll the account or create the product",
        )
    return found
