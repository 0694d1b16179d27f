"""Writes and single reads at a shop through the GraphQL Admin API. Sans-I/O flows.

Stock is set in stock.py, prices in prices.py, shipments are told in fulfilling.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from connectors.kit.contract import Account, Budget, Feedback, Flow, Request, Response, Write
from connectors.kit.errors import Invalid
from connectors.kit.operations import Batch, InDoubt, Operation
from connectors.shopify import fulfilling, graphql, prices, reads, settings, stock
from connectors.shopify.context import INVENTORY_ITEM, ORDER, PRODUCT
from connectors.shopify.outcomes import KEY_LIFE
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
            stock.set_level(account, write)
            if write.type is EntityType.INVENTORY_LEVEL
            else prices.set_price(account, write)
        )

    def batch(self, account: Account, write: Write) -> Batch | None:
        """Stock levels of the shop go together, and prices of one product."""
        if write.type is EntityType.PRICE:
            return prices.batch(account, write)
        return stock.batch(account, write) if write.type is EntityType.INVENTORY_LEVEL else None

    def write_all(self, account: Account, writes: Sequence[Write]) -> Flow:
        """Sets several stock levels, or prices of one product, in one call."""
        together = prices.set_prices if writes[0].type is EntityType.PRICE else stock.set_levels
        return together(account, writes)

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
