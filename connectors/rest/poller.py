"""Reads what changed in a vendor's lists, page by page, by declaration. Sans-I/O flows.

A pass asks for everything changed since the start of the one before, less an overlap, and ends with the page that has
no next. Its own start is kept only when it was read whole, so what changes meanwhile is found by the next pass.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass

import orjson

from connectors.kit.contract import Account, Flow, Json, Observation, Page, Request, Resource, Response
from connectors.kit.errors import Invalid, Retry
from connectors.rest import settings
from connectors.rest.api import Api, unreadable
from connectors.rest.paging import ByCursor, Paging, Row, rows
from connectors.rest.payload import iso

PageFlow = Generator[Request, Response, Page]


@dataclass(frozen=True, slots=True)
class Feed:
    """One list. `name`: of the resource and the topic of its rows; `since`: the parameter that asks for what changed,
    empty when the vendor has none, and then every pass is a complete scan; `interval`: seconds between passes, the
    account's `poll_interval` when 0; `identify`: a row's remote id."""

    name: str
    path: str
    since: str = "updated_after"
    interval: float = 0.0
    identify: Callable[[Row], object] = lambda row: row["id"]


class RestPoller:
    """Implements contract.Poller; the most important feed comes first."""

    def __init__(self, api: Api, paging: Paging, feeds: Sequence[Feed]) -> None:
        self._api, self._paging = api, paging
        self._feeds = {feed.name: feed for feed in feeds}

    def resources(self, account: Account) -> tuple[Resource, ...]:
        """One per feed."""
        return tuple(
            Resource(feed.name, feed.interval or settings.poll_interval(account), scan=not feed.since)
            for feed in self._feeds.values()
        )

    def page(self, account: Account, resource: str, cursor: Mapping[str, Json], now: int) -> Flow:
        """One page. Cursor: {read_until: microseconds} between passes; {since, until: microseconds, at: position}
        within one. Raises Invalid for another resource."""
        feed = self._feeds.get(resource)
        if feed is None:
            raise Invalid(f"account {account.id!r}: cannot poll {resource!r}", hint=f"known: {', '.join(self._feeds)}")
        return self._page(account, feed, _opened(account, cursor, now))

    def _page(self, account: Account, feed: Feed, window: dict[str, Json]) -> PageFlow:
        size, position = settings.page_size(account), window.get("at")
        since = {feed.since: iso(window["since"])} if feed.since and window["since"] else {}
        query = {**since, **self._paging.query(position, size)}
        request = self._api.get(account, feed.path, f"poll_{feed.name}", query)
        response = yield request
        if self._has_expired(position, response):
            return Page((), {name: window[name] for name in ("since", "until")}, done=False)
        content = self._api.content(request, response)
        found = rows(self._paging, content)
        if found is None:
            raise unreadable(request, response, "expected a list of records")
        observed = [observation(feed, row) for row in found]
        following = self._paging.following(position, content, len(found), size)
        if following is None:
            return Page(observed, {"read_until": window["until"]}, done=True, complete_scan=not feed.since)
        return Page(observed, {**window, "at": following}, done=False)

    def _has_expired(self, position: Json, response: Response) -> bool:
        """The vendor forgot our place in its list: the pass starts anew."""
        if position is None or not isinstance(self._paging, ByCursor):
            return False
        return response.status // 100 == 4 and self._api.outcomes.code(response) in self._paging.expired


def observation(feed: Feed, row: Row) -> Observation:
    """A row as it goes to raw. Raises Retry for a row without an id: what cannot be named cannot be kept."""
    try:
        remote_id = str(feed.identify(row))
    except (KeyError, TypeError):
        raise Retry(f"poll_{feed.name}: a row without an id: {str(row)[:80]}", reason="unreadable_reply") from None
    return Observation(feed.name, remote_id, orjson.dumps(row, option=orjson.OPT_SORT_KEYS))


def _opened(account: Account, cursor: Mapping[str, Json], now: int) -> dict[str, Json]:
    """The pass the cursor is in, or a new one; times are on the vendor's clock."""
    if "until" in cursor:
        return dict(cursor)
    read_until = int(cursor.get("read_until", 0))
    since = max(0, read_until - round(settings.poll_overlap(account) * 1_000_000)) if read_until else 0
    return {"since": since, "until": now + round(account.clock_offset * 1_000_000)}
