"""Search and paging of GraphQL connections. Pure."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

import orjson
from graphql import GraphQLError

from connectors.shopify.payload import nanoseconds


class Dated(Protocol):
    """Something that can be searched by its time of change."""

    @property
    def updated_at(self) -> int:
        """Microseconds UTC."""
        ...


T = TypeVar("T", bound=Dated)
Row = TypeVar("Row")
Key = tuple[int, ...]

_ABOVE = re.compile(r"id:>(\d+)")
_TERM = re.compile(r"updated_at:(>=|<=|>|<)'([^']*)'")
_MOST = 250
_COMPARE: dict[str, Callable[[int, int], bool]] = {
    ">=": lambda left, right: left >= right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    "<": lambda left, right: left < right,
}


def search(rows: Iterable[T], query: str | None, indexed_until: int) -> list[T]:
    """The rows a search finds: the index has not seen what changed after `indexed_until`. Without a query the
    database answers and all rows are found. Raises GraphQLError for a term it does not know."""
    if not query:
        return list(rows)
    left = _TERM.sub("", query).replace("AND", "").strip()
    if left:
        raise GraphQLError(f"cannot search for {left!r}", extensions={"code": "BAD_REQUEST"})
    terms = [(_COMPARE[sign], _micros(text)) for sign, text in _TERM.findall(query)]
    return [
        row
        for row in rows
        if row.updated_at <= indexed_until and all(compare(row.updated_at, bound) for compare, bound in terms)
    ]


def above(query: str | None) -> int:
    """The id behind which a search by id begins; 0 without a query. Raises GraphQLError for another search."""
    if not query:
        return 0
    match = _ABOVE.fullmatch(query)
    if match is None:
        raise GraphQLError(f"cannot search for {query!r}", extensions={"code": "BAD_REQUEST"})
    return int(match[1])


def _micros(text: str) -> int:
    nanos = nanoseconds(text)
    if nanos is None:
        raise GraphQLError(f"not a time: {text!r}", extensions={"code": "BAD_REQUEST"})
    return nanos // 1000


def page(
    rows: Iterable[Row],
    key: Callable[[Row], Key],
    node: Callable[[Row], dict[str, Any]],
    first: int | None,
    after: str | None,
) -> dict[str, Any]:
    """One page in the order of `key`, which names a row for the cursor. Raises GraphQLError as the vendor does."""
    if first is None or not 0 < first <= _MOST:
        raise GraphQLError(f"you must provide first between 1 and {_MOST}", extensions={"code": "BAD_REQUEST"})
    ordered = sorted(rows, key=key)
    if after is not None:
        start = _key_of(after)
        ordered = [row for row in ordered if key(row) > start]
    shown = ordered[:first]
    return {
        "nodes": [node(row) for row in shown],
        "pageInfo": {
            "hasNextPage": len(ordered) > len(shown),
            "hasPreviousPage": after is not None,
            "startCursor": _cursor(key(shown[0])) if shown else None,
            "endCursor": _cursor(key(shown[-1])) if shown else None,
        },
    }


def _cursor(key: Key) -> str:
    return urlsafe_b64encode(orjson.dumps(key)).decode()


def _key_of(cursor: str) -> Key:
    try:
        return tuple(orjson.loads(urlsafe_b64decode(cursor)))
    except ValueError as error:
        raise GraphQLError("not a cursor of ours", extensions={"code": "BAD_REQUEST"}) from error
