"""Writes and single reads at a shop through the GraphQL Admin API. Sans-I/O flows.

Source: shopify.dev, productVariantsBulkUpdate; stock is set in stock.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from connectors.kit import golden
from connectors.kit.contract import Account, Budget, Feedback, Flow, Observation, Request, Response, Write, Written
from connectors.kit.errors import Invalid
from connectors.kit.money import in_minor_units
from connectors.kit.operations import Batch, InDoubt, Operation
from connectors.shopify import fulfilling, graphql, queries, reads, settings, stock
from connectors.shopify.context import INVENTORY_ITEM, ORDER, PRODUCT
from connectors.shopify.outcomes import KEY_LIFE
from connectors.shopify.payload import gid
from connectors.shopify.writing import WriteFlow, alias, mutation
from schemas.entities import EntityType, Op

_TYPES = (EntityType.INVENTORY_LEVEL, EntityType.PRICE, EntityType.FULFILMENT)
_SUPPORTED = frozenset((kind, Op.UPSERT) for kind in _TYPES)


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
        return (
            stock.set_level(account, write) if write.type is EntityType.INVENTORY_LEVEL else _set_price(account, write)
        )

    def batch(self, account: Account, write: Write) -> Batch | None:
        """Stock levels go together; prices go product by product, so each goes alone."""
        return stock.batch(account, write) if write.type is EntityType.INVENTORY_LEVEL else None

    def write_all(self, account: Account, writes: Sequence[Write]) -> Flow:
        """Sets several stock levels in one call."""
        return stock.set_levels(account, writes)

    def operation(self, type: EntityType, op: Op) -> Operation | None:
        """Stock and prices are absolute. Stock carries a key that the shop remembers; what it has forgotten can be set
        again. A shipment is looked up by its tracking numbers."""
        if type is EntityType.FULFILMENT:
            return Operation(InDoubt.VERIFY)
        if type is EntityType.INVENTORY_LEVEL:
            return Operation(InDoubt.SAME_KEY, key_life=KEY_LIFE, forgotten=InDoubt.REPEAT)
        return Operation(InDoubt.REPEAT)

    def verify(self, account: Account, write: Write) -> Flow:
        """Whether a shipment was told; everything else is repeatable and never asked about. Raises Invalid."""
        if write.type is not EntityType.FULFILMENT:
            raise Invalid(f"{write.golden_key}: a {write.type} is set, not commanded", reason="unsupported")
        return fulfilling.look_up(account, write)

    def fetch(self, account: Account, resource: str, remote_id: str) -> Flow:
        """Reads `product`, `inventory_item` or `order`. Raises Invalid for another resource."""
        read = {PRODUCT: reads.product, INVENTORY_ITEM: reads.inventory_item, ORDER: reads.order}.get(resource)
        if read is None:
            known = f"known: {PRODUCT}, {INVENTORY_ITEM}, {ORDER}"
            raise Invalid(f"account {account.id!r}: cannot read a {resource!r}", hint=known)
        return read(account, remote_id)

    def feedback(self, request: Request, response: Response) -> Feedback:
        """Level, limit, restore rate and cost as the reply states them."""
        return graphql.feedback(response)


# ----------------------------------------------------------------------------------------------- prices


def _set_price(account: Account, write: Write) -> WriteFlow:
    variant: dict[str, Any] = {"id": gid("ProductVariant", alias(account, write, "variant_id"))}
    if not write.fields or "amount" in write.fields:
        variant["price"] = _amount(account, write, write.record["amount"])
    if not write.fields or "compare_at" in write.fields:
        compare_at = write.record.get("compare_at")
        variant["compareAtPrice"] = None if compare_at is None else _amount(account, write, compare_at)
    if len(variant) == 1:
        return Written(no_op=True)
    variables = {"productId": gid("Product", alias(account, write, "product_id")), "variants": [variant]}
    if write.expected is not None:
        found = yield from reads.ask(
            account, "read_price", queries.PRICE, {"id": variant["id"]}, queries.PRICE_COST, "productVariant"
        )
        if isinstance(found, dict) and _holds(found, variant):
            return Written(no_op=True, observed=[_observed(found)], holds=True)
        if isinstance(found, dict) and not _may_overwrite(account, write, found):
            return Written(no_op=True, observed=[_observed(found)])
    sent = mutation(account, write.op_id, "set_price", queries.SET_PRICES, variables)
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
