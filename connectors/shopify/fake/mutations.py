"""The writes the fake shop carries out, with the vendor's checks and error codes.

Sources: shopify.dev, inventorySetQuantities, productVariantsBulkUpdate and usage/idempotent-requests: from 2026-04 the
key is required and `changeFromQuantity` has to be sent; a key is remembered for 24 hours and refused for another body.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from graphql import GraphQLError, GraphQLResolveInfo, get_directive_values

from connectors.shopify.fake import render
from connectors.shopify.fake.nodes import Nodes, number
from connectors.shopify.fake.records import Variant
from connectors.shopify.fake.store import API, Shop

_KEY_REQUIRED_SINCE = "2026-04"
_KEY_LIFE = 24 * 3600 * 1_000_000
UserError = dict[str, Any]


class IdempotencyKeys:
    """Keys and the bodies they were first used with."""

    def __init__(self) -> None:
        self._used: dict[str, tuple[int, bytes]] = {}

    def seen(self, key: str, body: bytes, now: int) -> str:
        """`new`, `repeat` or `mismatch`; a key of the last 24 hours is not new. `now` is microseconds UTC."""
        found = self._used.get(key)
        if found is None or now - found[0] > _KEY_LIFE:
            return "new"
        return "repeat" if found[1] == body else "mismatch"

    def remember(self, key: str, body: bytes, now: int) -> None:
        """The operation of `key` was carried out."""
        self._used[key] = (now, body)


class Mutations:
    """The writes of one request: `version` from its path, `request_id` from its x-request-id header."""

    def __init__(self, shop: Shop, keys: IdempotencyKeys, now: int, version: str, request_id: str) -> None:
        self._shop, self._keys, self._now = shop, keys, now
        self._version, self._request_id = version, request_id

    # ------------------------------------------------------------------------------------------- stock

    def set_quantities(self, info: GraphQLResolveInfo[Any], input: dict[str, Any]) -> dict[str, Any]:
        """Mutation.inventorySetQuantities: all entries or none."""
        key, body = self._key(info), orjson.dumps(input, option=orjson.OPT_SORT_KEYS)
        state = self._keys.seen(key, body, self._now) if key else "new"
        if state == "mismatch":
            code = "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"
            return _refused([_error(code, ["input"], "this key was used with other parameters")])
        if state == "repeat":
            return self._group(input)
        errors = self._stock_errors(input)
        if errors:
            return _refused(errors)
        for entry in input["quantities"]:
            self._shop.set_available(
                self._item(entry), number(entry["locationId"]), entry["quantity"],
                API, self._request_id, input.get("referenceDocumentUri") or "",
            )  # fmt: skip
        if key:
            self._keys.remember(key, body, self._now)
        return self._group(input)

    def _key(self, info: GraphQLResolveInfo[Any]) -> str:
        directive = info.schema.get_directive("idempotent")
        assert directive is not None
        found = get_directive_values(directive, info.field_nodes[0], info.variable_values)
        key = str(found["key"]) if found else ""
        if not key and self._version >= _KEY_REQUIRED_SINCE:
            raise GraphQLError("this mutation requires @idempotent", extensions={"code": "BAD_REQUEST"})
        return key

    def _stock_errors(self, input: dict[str, Any]) -> list[UserError]:
        if input["name"] not in {"available", "on_hand"}:
            return [_error("INVALID_NAME", ["input", "name"], "not a quantity that can be set")]
        found = (self._entry_error(at, entry, input) for at, entry in enumerate(input["quantities"]))
        return [error for error in found if error]

    def _entry_error(self, at: int, entry: dict[str, Any], input: dict[str, Any]) -> UserError | None:
        path = ["input", "quantities", str(at)]
        item, location = number(entry["inventoryItemId"]), number(entry["locationId"])
        if item not in self._shop.items:
            return _error("INVALID_INVENTORY_ITEM", [*path, "inventoryItemId"], "no such inventory item")
        if location not in self._shop.locations:
            return _error("INVALID_LOCATION", [*path, "locationId"], "no such location")
        level = self._shop.levels.get((item, location))
        if level is None:
            return _error("ITEM_NOT_STOCKED_AT_LOCATION", [*path, "locationId"], "the item is not stocked there")
        return self._compare_error(path, entry, input, level.available)

    def _compare_error(
        self, path: list[str], entry: dict[str, Any], input: dict[str, Any], held: int
    ) -> UserError | None:
        """Compare-and-swap under the names each version has for it."""
        if self._version >= "2026-01" and "changeFromQuantity" in entry:
            expected = entry["changeFromQuantity"]
            if expected is not None and expected != held:
                return _error("CHANGE_FROM_QUANTITY_STALE", [*path, "changeFromQuantity"], f"it is {held} now")
            return None
        if self._version >= _KEY_REQUIRED_SINCE:
            raise GraphQLError("changeFromQuantity has to be sent", extensions={"code": "BAD_REQUEST"})
        if input.get("ignoreCompareQuantity"):
            return None
        if entry.get("compareQuantity") is None:
            return _error("COMPARE_QUANTITY_REQUIRED", [*path, "compareQuantity"], "is required")
        if entry["compareQuantity"] != held:
            return _error("COMPARE_QUANTITY_STALE", [*path, "compareQuantity"], f"it is {held} now")
        return None

    def _item(self, entry: dict[str, Any]) -> Variant:
        return self._shop.items[number(entry["inventoryItemId"])]

    def _group(self, input: dict[str, Any]) -> dict[str, Any]:
        return {
            "inventoryAdjustmentGroup": {
                "id": f"gid://shopify/InventoryAdjustmentGroup/{len(self._shop.journal)}",
                "createdAt": render.utc(self._now),
                "reason": input["reason"],
                "referenceDocumentUri": input.get("referenceDocumentUri"),
                "changes": [],
            },
            "userErrors": [],
        }

    # ------------------------------------------------------------------------------------------- prices

    def update_variants(
        self,
        info: GraphQLResolveInfo[Any],
        productId: str,  # noqa: N803 - the argument's name in the schema
        variants: list[dict[str, Any]],
        allowPartialUpdates: bool = False,  # noqa: N803
    ) -> dict[str, Any]:
        """Mutation.productVariantsBulkUpdate: all variants of one product or none, or with `allowPartialUpdates` all
        that are valid."""
        product = self._shop.products.get(number(productId))
        if product is None:
            return _refused([_error("PRODUCT_DOES_NOT_EXIST", ["productId"], "product does not exist")])
        mine = {variant.id: variant for variant in product.variants}
        found = [_variant_error(at, entry, mine) for at, entry in enumerate(variants)]
        errors = [error for error in found if error]
        if errors and not allowPartialUpdates:
            return _refused(errors)
        valid = [entry for entry, error in zip(variants, found, strict=True) if not error]
        for entry in valid:
            self._update(mine[number(entry["id"])], entry)
        nodes = Nodes(self._shop, self._now)
        changed = [nodes.of_variant(mine[number(entry["id"])]) for entry in valid]
        return {"product": nodes.of_product(product), "productVariants": changed, "userErrors": errors}

    def _update(self, variant: Variant, entry: dict[str, Any]) -> None:
        if "compareAtPrice" in entry:
            self._shop.set_compare_at(variant, _money(entry["compareAtPrice"]))
        price = _money(entry.get("price"))
        if price is not None:
            self._shop.set_price(variant, price, API, self._request_id)


def _variant_error(at: int, entry: dict[str, Any], mine: dict[int, Variant]) -> UserError | None:
    path = ["variants", str(at)]
    if number(entry.get("id") or "") not in mine:
        return _error("PRODUCT_VARIANT_DOES_NOT_EXIST", [*path, "id"], "product variant does not exist")
    for name in ("price", "compareAtPrice"):
        try:
            amount = _money(entry.get(name))
        except InvalidOperation:
            return _error("INVALID_INPUT", [*path, name], "is not a number")
        if amount is not None and amount < 0:
            return _error("GREATER_THAN_OR_EQUAL_TO", [*path, name], "must be greater than or equal to 0")
    return None


def _money(text: Any) -> Decimal | None:
    return None if text is None else Decimal(str(text))


def _error(code: str, field: list[str], message: str) -> UserError:
    return {"code": code, "field": field, "message": message}


def _refused(errors: list[UserError]) -> dict[str, Any]:
    return {"userErrors": errors}
