"""How a vendor's lists are paged, by declaration. Pure.

A position is what the poller keeps between two pages: JSON-able, None for the first page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from connectors.kit.contract import Json
from connectors.rest.outcomes import Path, lookup

Row = dict[str, Any]


class Paging(Protocol):
    """One vendor's way."""

    @property
    def items(self) -> Path:
        """Where a page's rows are."""
        ...

    def query(self, position: Json, size: int) -> dict[str, str]:
        """The parameters that ask for the page at a position."""
        ...

    def following(self, position: Json, content: Row, count: int, size: int) -> Json:
        """The next position after a page of `count` rows; None when there is none."""
        ...


@dataclass(frozen=True, slots=True)
class ByCursor:
    """The reply names the next page. `next`: where; `expired`: the vendor's codes for a cursor it has forgotten."""

    items: Path = ("data",)
    next: Path = ("next_cursor",)
    parameter: str = "cursor"
    size: str = "limit"
    expired: frozenset[str] = frozenset()

    def query(self, position: Json, size: int) -> dict[str, str]:
        """See Paging."""
        at = {self.parameter: str(position)} if position is not None else {}
        return {self.size: str(size), **at}

    def following(self, position: Json, content: Row, count: int, size: int) -> Json:
        """See Paging. An empty name, and the one we just asked with, end the list: a page must not be read for ever."""
        found = lookup(content, self.next)
        return found if found and found != position else None


@dataclass(frozen=True, slots=True)
class ByPage:
    """Pages are numbered; a page that is not full is the last.

    Only for lists in an order that no change moves (by id) and from which nothing is deleted: what moves to another
    page while the list is read is not seen.
    """

    items: Path = ("data",)
    parameter: str = "page"
    size: str = "per_page"
    first: int = 1

    def query(self, position: Json, size: int) -> dict[str, str]:
        """See Paging."""
        return {self.size: str(size), self.parameter: str(self.first if position is None else position)}

    def following(self, position: Json, content: Row, count: int, size: int) -> Json:
        """See Paging."""
        return (self.first if position is None else int(position)) + 1 if count >= size else None


def rows(paging: Paging, content: Row) -> Sequence[Row] | None:
    """The rows of a page; None when the reply holds no list of objects there."""
    found = lookup(content, paging.items)
    return found if isinstance(found, list) and all(isinstance(row, dict) for row in found) else None
