"""What a read makes of the vendor's rows: canonical bodies that can be mapped without another request. Pure.

    topic              remote id                            body
    products           product id                           {"product": row, "combinations": [rows]}
    combinations       product id:combination id            {"id_product": "4", "id_product_attribute": "16"}
    combinations       product id                           {"id_product": "4"}
    stock_availables   product id:combination id            {"stock_available": row, "has_combinations": bool}
    orders             order id                             {"order": row}

A simple product is the variant `<id>:0`. A record of `combinations` only says that the variant or product is there, so
that its absence from a complete scan says that it is gone; what it holds stands in the product's record. Keys are
sorted and what changes without meaning is left out, because a scan tells by the body's hash whether a record changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from connectors.kit.contract import Observation
from schemas.entities import Op

PRODUCTS = "products"
COMBINATIONS = "combinations"
STOCK = "stock_availables"
ORDERS = "orders"

Row = Mapping[str, Any]

# Caches and counters of the shop: they move without a change of the record.
_VOLATILE = frozenset(
    {
        "cache_default_attribute",
        "cache_has_attachments",
        "cache_is_pack",
        "indexed",
        "new",
        "position_in_category",
        "quantity",
    }
)


def variant_id(id_product: object, id_product_attribute: object) -> str:
    """The remote id of a variant, its price and its stock level."""
    return f"{id_product}:{id_product_attribute}"


def split_variant_id(remote_id: str) -> tuple[str, str] | None:
    """(product id, combination id or "0"); None when it is not a variant's remote id."""
    id_product, colon, attribute = remote_id.partition(":")
    valid = colon and all(part.isascii() and part.isdecimal() for part in (id_product, attribute))
    return (id_product, attribute) if valid else None


def product(row: Row, combinations: Iterable[Row]) -> Observation:
    """One product with all its combinations."""
    held = sorted((_settled(one) for one in combinations), key=lambda one: int(one["id"]))
    return _observation(PRODUCTS, str(row["id"]), {"product": _settled(row), "combinations": held})


def presence(row: Row, combinations: Iterable[Row]) -> list[Observation]:
    """One observation for the product and one for each variant that it has."""
    id_product = str(row["id"])
    attributes = [str(one["id"]) for one in combinations] or ["0"]
    return [
        _observation(COMBINATIONS, id_product, {"id_product": id_product}),
        *(
            _observation(
                COMBINATIONS,
                variant_id(id_product, attribute),
                {"id_product": id_product, "id_product_attribute": attribute},
            )
            for attribute in attributes
        ),
    ]


def stock(rows: Sequence[Row]) -> list[Observation]:
    """The stock rows of whole products; a product's row 0 is a sum when the product has others."""
    summed = {str(row["id_product"]) for row in rows if str(row["id_product_attribute"]) != "0"}
    return [
        _observation(
            STOCK,
            variant_id(row["id_product"], row["id_product_attribute"]),
            {"stock_available": row, "has_combinations": str(row["id_product"]) in summed},
        )
        for row in rows
    ]


def order(row: Row) -> Observation:
    """One order with its lines."""
    return _observation(ORDERS, str(row["id"]), {"order": row})


def gone(topic: str, remote_id: str) -> Observation:
    """A record that a read did not find."""
    return Observation(topic, remote_id, b"", Op.DELETE)


def _settled(row: Row) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _VOLATILE}


def _observation(topic: str, remote_id: str, body: Mapping[str, Any]) -> Observation:
    return Observation(topic, remote_id, orjson.dumps(body, option=orjson.OPT_SORT_KEYS))
