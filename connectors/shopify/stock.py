"""Setting a stock level. Sans-I/O flows.

Where the account has no say, the level is set absolutely with compare-and-swap switched off: the version gate in front
of the courier has decided, and an absolute set can be repeated. Where it has one, the level is read first and replaced
only if it is still what was read. Source: shopify.dev, inventorySetQuantities; the key by directive is optional in
2026-01 and required from 2026-04; the quantity compared with is `changeFromQuantity` since 2026-01.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

import orjson

from connectors.kit import golden
from connectors.kit.contract import Account, Observation, Request, Response, Write, Written
from connectors.kit.errors import Conflict, Invalid, SluiceError, Unlinkable
from connectors.kit.operations import Batch
from connectors.shopify import graphql, queries, reads, settings
from connectors.shopify.payload import gid
from connectors.shopify.writing import WriteFlow, alias, mutation
from schemas.entities import Op

_IDEMPOTENT_SINCE = "2026-01"
_KEYS_PER_WRITE = 3
_LOOKS = 2  # at a level that somebody else keeps changing, before the decision is taken again
_LEVELS = Batch("levels", 100)  # of 250 that the API takes: one call in doubt holds up that many levels
Level = dict[str, Any]
Result = TypeVar("Result")
LevelsFlow = Generator[Request, Response, Sequence[Written | SluiceError]]


def set_level(account: Account, write: Write) -> WriteFlow:
    """Set what may be sold at one location. Raises Unlinkable, Invalid, and as graphql.payload does."""
    if write.record.get("available") is None:
        return Written(no_op=True)  # the source does not count this item: there is no quantity to set
    entry = _entry(account, write)
    if write.expected is not None:
        return (yield from _swap(account, write, entry))
    yield from _send(account, write.op_id, [_compared(account, entry, None)], graphql.payload)
    return Written()


def batch(account: Account, write: Write) -> Batch | None:
    """Levels of the whole shop go together, but for those that are compared first or cannot be sent at all."""
    if write.expected is not None or write.record.get("available") is None:
        return None
    try:
        _entry(account, write)
    except SluiceError:
        return None
    return _LEVELS


def set_levels(account: Account, writes: Sequence[Write]) -> LevelsFlow:
    """Set several levels in one call, which takes all or none: what is refused is told of, the others come again."""
    entries = [_entry(account, write) for write in writes]
    name = uuid5(NAMESPACE_URL, "\n".join(write.op_id for write in writes))
    compared = [_compared(account, entry, None) for entry in entries]
    refused = yield from _send(account, f"batch-{name}", compared, graphql.refusals)
    if not refused:
        return [Written() for _ in writes]
    why = "not set: another level of the same call was refused"
    return [refused.get(at) or Conflict(f"{write.golden_key}: {why}") for at, write in enumerate(writes)]


def _entry(account: Account, write: Write) -> Level:
    return {
        "inventoryItemId": gid("InventoryItem", alias(account, write, "inventory_item_id")),
        "locationId": gid("Location", _location(account, write)),
        "quantity": _units(write, write.record["available"]),
    }


def _swap(account: Account, write: Write, entry: Level) -> WriteFlow:
    """Replace what may be replaced. What somebody else has set in between is reported instead of being overwritten."""
    for _ in range(_LOOKS):
        level = yield from _read(account, write, entry)
        held = _available(level)
        if held == entry["quantity"] or not _may_overwrite(write, held):
            return Written(no_op=True, observed=[_observed(level)])
        try:
            yield from _send(account, write.op_id, [_compared(account, entry, held)], graphql.payload)
        except Conflict as error:
            if error.reason != Conflict.reason:
                raise
        else:
            return Written()
    level = yield from _read(account, write, entry)
    return Written(no_op=True, observed=[_observed(level)])


def _read(account: Account, write: Write, entry: Mapping[str, Any]) -> Generator[Request, Response, Level]:
    """The level as it is now, with its item. Raises Unlinkable for one that the shop does not have."""
    variables = {"id": entry["inventoryItemId"], "location": entry["locationId"]}
    item = yield from reads.ask(
        account, "read_level", queries.ONE_LEVEL, variables, queries.ONE_LEVEL_COST, "inventoryItem"
    )
    if not isinstance(item, dict) or not isinstance(item.get("inventoryLevel"), dict):
        raise Unlinkable(
            f"{write.golden_key}: account {account.id!r} has no such level", hint="stock the item at the location first"
        )
    return {**item["inventoryLevel"], "item": {name: item.get(name) for name in ("id", "sku", "tracked")}}


def _available(level: Mapping[str, Any]) -> int | None:
    found = {entry.get("name"): entry.get("quantity") for entry in level.get("quantities") or []}
    held = found.get("available")
    return held if isinstance(held, int) else None


def _may_overwrite(write: Write, held: int | None) -> bool:
    """False when what is there is neither what was expected nor what is wanted: somebody changed it meanwhile."""
    comparable = golden.comparable_inventory_level(None if held is None else Decimal(held))
    return write.overwrites(golden.content_fingerprint(Op.UPSERT, comparable))


def _observed(level: Mapping[str, Any]) -> Observation:
    item, place = (str(level[name]["id"]).rpartition("/")[2] for name in ("item", "location"))
    return reads.seen("inventory_level", f"{item}:{place}", level)


# ----------------------------------------------------------------------------------------------- the mutation


def _compared(account: Account, entry: Level, held: int | None) -> Level:
    """The entry as the account's API version has it: to be set if `held` is there now; None: whatever is there."""
    if settings.api_version(account) >= _IDEMPOTENT_SINCE:
        return {**entry, "changeFromQuantity": held}
    return entry if held is None else {**entry, "compareQuantity": held}


def _send(
    account: Account, op_id: str, entries: Sequence[Level], read: Callable[[Request, Response, str], Result]
) -> Generator[Request, Response, Result]:
    """Set quantities. Returns what `read` makes of the reply.

    The key depends on operation and body only, so that a repeat after a lost reply is recognised. A key whose first
    attempt failed inside the shop is burnt for 24 hours; the next one is as deterministic.
    """
    with_key = settings.api_version(account) >= _IDEMPOTENT_SINCE
    fields: dict[str, Any] = {
        "name": "available",
        "reason": "correction",
        "referenceDocumentUri": f"sluice://{quote(op_id, safe='')}",
        "quantities": list(entries),
    }
    if not with_key and not any("compareQuantity" in entry for entry in entries):
        fields["ignoreCompareQuantity"] = True
    document = queries.SET_QUANTITIES_IDEMPOTENT if with_key else queries.SET_QUANTITIES
    for attempt in range(_KEYS_PER_WRITE):
        key = idempotency_key(op_id, fields, attempt) if with_key else ""
        variables = {"input": fields, **({"key": key} if key else {})}
        sent = mutation(account, op_id, "set_stock", document, variables, key)
        reply = yield sent
        try:
            return read(sent, reply, "inventorySetQuantities")
        except graphql.AttemptFailed as error:
            burnt = error
    raise burnt


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
