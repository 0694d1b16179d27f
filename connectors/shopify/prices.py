"""Setting prices. Sans-I/O flows.

One call takes variants of one product. What may be valid is set although another variant of the call is not
(`allowPartialUpdates`, since 2023-04); userErrors name the entry at fault by its place in the list. Where the account
has a say, the variants are read first, all of them at once, and what somebody edited meanwhile is reported instead of
being overwritten. Source: shopify.dev, productVariantsBulkUpdate and nodes; an input list has 250 entries at most.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from connectors.kit import golden
from connectors.kit.contract import Account, Observation, Request, Response, Write, Written
from connectors.kit.errors import Conflict, Invalid, SluiceError
from connectors.kit.money import in_minor_units
from connectors.kit.operations import Batch
from connectors.shopify import graphql, queries, reads, settings
from connectors.shopify.payload import gid
from connectors.shopify.writing import WriteFlow, alias, mutation
from schemas.entities import Op

_MOST = 50  # variants of a call: reading them first costs six points each, and a bucket holds one or two thousand
_MUTATION = "productVariantsBulkUpdate"
Entry = dict[str, Any]
PricesFlow = Generator[Request, Response, Sequence[Written | SluiceError]]


def set_price(account: Account, write: Write) -> WriteFlow:
    """Set the price of one variant. Raises Unlinkable, Invalid, and as graphql.payload does."""
    entry = _entry(account, write)
    if len(entry) == 1:
        return Written(no_op=True)
    variables = {"productId": _product(account, write), "variants": [entry]}
    if write.expected is not None:
        found = yield from reads.ask(
            account, "read_price", queries.PRICE, {"id": entry["id"]}, queries.PRICE_COST, "productVariant"
        )
        settled = _settled(account, write, entry, found)
        if settled is not None:
            return settled
    sent = mutation(account, write.op_id, "set_price", queries.SET_PRICES, variables)
    reply = yield sent
    return Written(observed=[_observed(node) for node in _changed(graphql.payload(sent, reply, _MUTATION))])


def batch(account: Account, write: Write) -> Batch | None:
    """Prices of one product go together, but for those that cannot be sent or of which nothing is to be sent."""
    try:
        product, entry = _product(account, write), _entry(account, write)
    except SluiceError:
        return None
    return Batch(product, _MOST) if len(entry) > 1 else None


def set_prices(account: Account, writes: Sequence[Write]) -> PricesFlow:
    """Set prices of one product in one call. A variant goes into it once: what else is said of it comes again."""
    entries = [_entry(account, write) for write in writes]
    results: dict[int, Written | SluiceError] = {}
    first: dict[str, int] = {}
    for at, entry in enumerate(entries):
        if first.setdefault(entry["id"], at) != at:
            results[at] = Conflict(f"{writes[at].golden_key}: not set: another price of the variant is in the call")
    results |= yield from _look(account, writes, entries, [at for at in range(len(writes)) if at not in results])
    rest = [at for at in range(len(writes)) if at not in results]
    if rest:
        results |= yield from _send(account, writes, entries, rest)
    return [results[at] for at in range(len(writes))]


def _look(
    account: Account, writes: Sequence[Write], entries: Sequence[Entry], places: Sequence[int]
) -> Generator[Request, Response, dict[int, Written | SluiceError]]:
    """What need not or may not be written, of those that are compared first."""
    compared = [at for at in places if writes[at].expected is not None]
    if not compared:
        return {}
    ids, cost = [entries[at]["id"] for at in compared], queries.PRICE_COST * len(compared)
    found = yield from reads.ask(account, "read_prices", queries.PRICES, {"ids": ids}, cost, "nodes")
    nodes = {node.get("id"): node for node in found if isinstance(node, dict)} if isinstance(found, list) else {}
    looked = {at: _settled(account, writes[at], entries[at], nodes.get(entries[at]["id"])) for at in compared}
    return {at: settled for at, settled in looked.items() if settled is not None}


def _send(
    account: Account, writes: Sequence[Write], entries: Sequence[Entry], places: Sequence[int]
) -> Generator[Request, Response, dict[int, Written | SluiceError]]:
    """Set what is left. What the reply neither refuses nor shows is not taken for set."""
    name = uuid5(NAMESPACE_URL, "\n".join(writes[at].op_id for at in places))
    variables = {"productId": _product(account, writes[0]), "variants": [entries[at] for at in places], "partial": True}
    sent = mutation(account, f"batch-{name}", "set_prices", queries.SET_PRICES_PARTIAL, variables)
    reply = yield sent
    result, refused = graphql.divided(sent, reply, _MUTATION)
    changed = {str(node.get("id")): node for node in _changed(result)}
    return {at: refused.get(nth) or _set(writes[at], changed.get(entries[at]["id"])) for nth, at in enumerate(places)}


def _set(write: Write, node: Mapping[str, Any] | None) -> Written | SluiceError:
    if node is None:
        return Conflict(f"{write.golden_key}: the shop does not say that it was set with the others")
    return Written(observed=[_observed(node)])


def _entry(account: Account, write: Write) -> Entry:
    """What is sent for a variant; nothing beside its id where the flow moves none of the fields."""
    variant: Entry = {"id": gid("ProductVariant", alias(account, write, "variant_id"))}
    if not write.fields or "amount" in write.fields:
        variant["price"] = _amount(account, write, write.record["amount"])
    if not write.fields or "compare_at" in write.fields:
        compare_at = write.record.get("compare_at")
        variant["compareAtPrice"] = None if compare_at is None else _amount(account, write, compare_at)
    return variant


def _product(account: Account, write: Write) -> str:
    return gid("Product", alias(account, write, "product_id"))


def _changed(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    changed = result.get("productVariants")
    return [node for node in changed if isinstance(node, dict)] if isinstance(changed, list) else []


def _settled(account: Account, write: Write, entry: Entry, found: Any) -> Written | None:
    """What becomes of a write without sending it, after the variant was read; None: it is to be sent."""
    if not isinstance(found, dict):
        return None
    if _holds(found, entry):
        return Written(no_op=True, observed=[_observed(found)], holds=True)
    if not _may_overwrite(account, write, found):
        return Written(no_op=True, observed=[_observed(found)])
    return None


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
