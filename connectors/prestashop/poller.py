"""Reads everything that changed at a shop. Sans-I/O flows.

Products and orders have a date: closed windows (`windows`). Stock and combinations have none, and a changed
combination or stock level does not move its product's date: complete scans in the order of product ids, whole
products per page, from which the courier emits what differs from its snapshot.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from connectors.kit.contract import Account, Flow, Json, Observation, Page, Request, Resource, Response
from connectors.kit.errors import Invalid, Misconfigured, Retry
from connectors.prestashop import records, settings, wire
from connectors.prestashop.records import Row
from connectors.prestashop.windows import Window

PageFlow = Generator[Request, Response, Page]
Rows = Generator[Request, Response, list[Row]]


class PrestaShopPoller:
    """Implements contract.Poller."""

    def resources(self, account: Account) -> tuple[Resource, ...]:
        """Stock first, then what is cheap to ask for, the whole catalogue last."""
        poll, scan = settings.of(account).poll_interval, settings.of(account).scan_interval
        return (
            Resource(records.STOCK, scan, scan=True),
            Resource(records.ORDERS, poll),
            Resource(records.PRODUCTS, poll),
            Resource(records.COMBINATIONS, scan, scan=True),
        )

    def page(self, account: Account, resource: str, cursor: Mapping[str, Json], now: int) -> Flow:
        """One page: up to `page_size` products or orders, or the stock of as many products.

        Cursor of a window: see `windows`; of a scan: {"after": product id}. Raises Invalid for another resource.
        """
        flows = {
            records.STOCK: lambda: _scan(account, cursor, _stock),
            records.COMBINATIONS: lambda: _scan(account, cursor, _catalogue),
            records.PRODUCTS: lambda: _changed(account, records.PRODUCTS, cursor, now),
            records.ORDERS: lambda: _changed(account, records.ORDERS, cursor, now),
        }
        if resource not in flows:
            raise Invalid(f"account {account.id!r}: cannot poll {resource!r}", hint=f"known: {', '.join(flows)}")
        return flows[resource]()


# ----------------------------------------------------------------------------------------------- windows


def _changed(account: Account, resource: str, cursor: Mapping[str, Json], now: int) -> PageFlow:
    setting = settings.of(account)
    ours = now + round(account.clock_offset * 1_000_000)
    window = Window.open(cursor, ours, setting.overlap, setting.zone)
    options = {"display": "full", "limit": str(setting.page_size), **window.query}
    request = wire.read(account, resource, **options)
    response = yield request
    rows = wire.rows(request, response, resource)
    window = window.checked_against(wire.shop_time(response))
    try:
        fresh, rest = window.fresh(rows), window.after(rows, setting.page_size)
    except (KeyError, ValueError) as error:
        raise Retry(f"{request.operation}: a row without a readable date_upd or id: {error!r}") from None
    observed = yield from _products(account, fresh) if resource == records.PRODUCTS else _orders(fresh)
    return Page(observed, rest.cursor if rest else window.closed, done=rest is None)


def _orders(rows: Iterable[Row]) -> Generator[Request, Response, list[Observation]]:
    return [records.order(row) for row in rows]
    yield  # a flow without requests


def _products(account: Account, rows: Sequence[Row]) -> Generator[Request, Response, list[Observation]]:
    combinations = yield from combinations_of(account, rows)
    return [records.product(row, combinations.get(str(row["id"]), ())) for row in rows]


def combinations_of(account: Account, products: Sequence[Row]) -> Generator[Request, Response, dict[str, list[Row]]]:
    """The combinations of these products by product id, in one request; in none when no product has any."""
    having = [str(row["id"]) for row in products if has_combinations(row)]
    if not having:
        return {}
    found = yield from _rows(
        account, "combinations", filter_id_product=f"[{'|'.join(having)}]", sort="[id_ASC]", display="full"
    )
    by_product: dict[str, list[Row]] = {}
    for row in found:
        by_product.setdefault(str(row.get("id_product")), []).append(row)
    return by_product


def has_combinations(product: Row) -> bool:
    """Whether a product row names combinations."""
    associations = product.get("associations") or {}
    return bool(isinstance(associations, dict) and associations.get("combinations"))


# ----------------------------------------------------------------------------------------------- scans


def _scan(account: Account, cursor: Mapping[str, Json], read_page: Any) -> PageFlow:
    """`read_page` is a flow of (account, id after which to read, page size) to (products read, observations)."""
    size = settings.of(account).page_size
    products, observed = yield from read_page(account, int(cursor.get("after", 0)), size)
    done = len(products) < size
    following = {} if done else {"after": int(products[-1]["id"])}
    return Page(observed, following, done=done, complete_scan=done)


def _catalogue(
    account: Account, after: int, size: int
) -> Generator[Request, Response, tuple[list[Row], list[Observation]]]:
    products = yield from _products_after(account, after, size, "full")
    combinations = yield from combinations_of(account, products)
    observed: list[Observation] = []
    for row in products:
        held = combinations.get(str(row["id"]), [])
        observed += [records.product(row, held), *records.presence(row, held)]
    return products, observed


def _stock(
    account: Account, after: int, size: int
) -> Generator[Request, Response, tuple[list[Row], list[Observation]]]:
    products = yield from _products_after(account, after, size, "[id]")
    if not products:
        return products, []
    ids = [int(row["id"]) for row in products]
    rows = yield from stock_of(account, f"[{ids[0]},{ids[-1]}]" if len(ids) > 1 else f"[{ids[0]}]")
    return products, records.stock(rows)


def stock_of(account: Account, id_product: str) -> Rows:
    """The stock rows of the products a filter names, e.g. [4] or [4,9]: always all rows of a product, because only
    together they say whether its row 0 is a sum. Raises Misconfigured when a variant has several rows."""
    rows = yield from _rows(
        account,
        records.STOCK,
        filter_id_product=id_product,
        sort="[id_product_ASC,id_product_attribute_ASC]",
        display="full",
    )
    for variant, same in groupby(
        sorted(records.variant_id(row["id_product"], row["id_product_attribute"]) for row in rows)
    ):
        if len(list(same)) > 1:
            raise Misconfigured(
                f"account {account.id!r}: variant {variant} has the stock of several shops",
                hint="set id_shop to the shop that this account stands for",
            )
    return rows


def _products_after(account: Account, after: int, size: int, display: str) -> Rows:
    return (
        yield from _rows(
            account, records.PRODUCTS, filter_id=f">[{after}]", sort="[id_ASC]", limit=str(size), display=display
        )
    )


def _rows(account: Account, resource: str, **options: str) -> Rows:
    request = wire.read(account, resource, **options)
    return wire.rows(request, (yield request), resource)
