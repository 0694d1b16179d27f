"""The warehouse's API without the wire: token, route, idempotency, conditions, lists, writes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from connectors.kit.clock import Clock
from connectors.threepl.fake import conditions, render, writes
from connectors.threepl.fake.errors import ApiError
from connectors.threepl.fake.keys import Keys
from connectors.threepl.fake.lists import Cursors, page
from connectors.threepl.fake.records import Order
from connectors.threepl.fake.store import Shop


@dataclass(frozen=True)
class Call:
    """One request; header names in lower case, `path` behind /v1/."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def key(self) -> str:
        """The idempotency key; empty without one."""
        return self.headers.get("idempotency-key", "").strip()

    @property
    def is_write(self) -> bool:
        """Whether it may change something."""
        return self.method != "GET"

    @property
    def content(self) -> bytes:
        """What two requests with one key must have in common; a condition is not part of it."""
        return f"{self.method} {self.path}\n".encode() + self.body


@dataclass(frozen=True)
class Answer:
    """One reply. `etag`: of the one record it shows; `wrote`: something was carried out that a lost reply would hide;
    `replayed`: an earlier reply."""

    status: int
    body: bytes
    etag: str = ""
    wrote: bool = False
    replayed: bool = False


@dataclass(frozen=True)
class Accepted:
    """One write that was answered 2xx, for oracles: how often a key came, and how often it was carried out."""

    at: int
    method: str
    path: str
    key: str
    status: int
    replayed: bool


_Handler = Callable[["Api", Call, str], tuple[int, Any]]


class Api:
    """Answers the requests of one warehouse."""

    def __init__(self, shop: Shop, clock: Clock) -> None:
        self._shop, self._clock = shop, clock
        self.keys = Keys(shop.options, clock)
        self._cursors = Cursors(shop.options, clock)
        self.accepted: list[Accepted] = []

    def answer(self, call: Call) -> Answer:
        """One request."""
        try:
            self._authenticate(call)
            if call.is_write and call.key and (first := self._first_reply(call)):
                return self._recorded(call, Answer(*first, replayed=True))
            handler, remote_id = _route(call)
            status, content = handler(self, call, remote_id)
        except ApiError as error:
            return refusal(error)
        answer = Answer(status, orjson.dumps(content), content.get("etag", ""), wrote=call.is_write)
        if call.is_write and call.key:
            self.keys.keep(call.key, call.content, answer.status, answer.body, answer.etag)
        return self._recorded(call, answer)

    def _authenticate(self, call: Call) -> None:
        if call.headers.get("authorization") != f"Bearer {self._shop.options.api_token}":
            raise ApiError(401, "unauthorized", "The access token is missing or not valid")

    def _first_reply(self, call: Call) -> tuple[int, bytes, str] | None:
        try:
            return self.keys.first_reply(call.key, call.content)
        except ValueError as error:
            raise ApiError(422, "idempotency_key_reused", str(error)) from None

    def _recorded(self, call: Call, answer: Answer) -> Answer:
        if call.is_write:
            now = self._clock.now()
            self.accepted.append(Accepted(now, call.method, call.path, call.key, answer.status, answer.replayed))
        return answer

    # ------------------------------------------------------------------------------------------- routes

    def create(self, call: Call, _: str) -> tuple[int, Any]:
        """POST /orders."""
        if not call.key:
            raise ApiError(400, "idempotency_key_missing", "Idempotency-Key is required")
        return 201, render.order(writes.create(self._shop, call.body, call.key))

    def amend(self, call: Call, remote_id: str) -> tuple[int, Any]:
        """PUT /orders/{id}."""
        return 200, render.order(writes.amend(self._shop, self._met(call, remote_id), call.body, call.key))

    def cancel(self, call: Call, remote_id: str) -> tuple[int, Any]:
        """POST /orders/{id}/cancel."""
        return 200, render.order(writes.cancel(self._shop, self._met(call, remote_id), call.body, call.key))

    def orders(self, call: Call, remote_id: str) -> tuple[int, Any]:
        """GET /orders?reference= and /orders/{id}."""
        if remote_id:
            return 200, render.order(self._known(self._shop.orders, remote_id))
        reference = call.query.get("reference", "")
        if not reference:
            raise ApiError(422, "reference_missing", "reference is required")
        return 200, {"data": [render.order(one) for one in self._shop.by_reference(reference)]}

    def shipments(self, call: Call, remote_id: str) -> tuple[int, Any]:
        """GET /shipments and /shipments/{id}."""
        return self._read(call, remote_id, self._shop.shipments, render.shipment)

    def stock(self, call: Call, remote_id: str) -> tuple[int, Any]:
        """GET /stock and /stock/{id}."""
        return self._read(call, remote_id, self._shop.stock, render.stock)

    def _read(
        self, call: Call, remote_id: str, table: Mapping[str, Any], show: Callable[[Any], Any]
    ) -> tuple[int, Any]:
        if remote_id:
            return 200, show(self._known(table, remote_id))
        rows: Sequence[Any] = sorted(table.values(), key=lambda one: one.updated_at)
        return 200, page(self._shop.options, self._cursors, rows, call.query, show)

    def _met(self, call: Call, remote_id: str) -> Order:
        """The order of a change, at the revision that the change is meant for."""
        one: Order = self._known(self._shop.orders, remote_id)
        if not conditions.holds(call.headers.get("if-match"), one.etag):
            raise ApiError(412, "order_changed", f"Order {one.id} is at revision {one.etag}: read it again")
        return one

    def _known(self, table: Mapping[str, Any], remote_id: str) -> Any:
        if remote_id not in table:
            raise ApiError(404, "not_found", f"There is no {remote_id}")
        return table[remote_id]


_ROUTES: tuple[tuple[str, re.Pattern[str], _Handler], ...] = (
    ("GET", re.compile(r"orders(?:/([^/]+))?"), Api.orders),
    ("POST", re.compile(r"orders()"), Api.create),
    ("PUT", re.compile(r"orders/([^/]+)"), Api.amend),
    ("POST", re.compile(r"orders/([^/]+)/cancel"), Api.cancel),
    ("GET", re.compile(r"shipments(?:/([^/]+))?"), Api.shipments),
    ("GET", re.compile(r"stock(?:/([^/]+))?"), Api.stock),
)


def _route(call: Call) -> tuple[_Handler, str]:
    matches = [(method, match, handler) for method, path, handler in _ROUTES if (match := path.fullmatch(call.path))]
    for method, match, handler in matches:
        if method == call.method:
            return handler, match[1] or ""
    if matches:
        raise ApiError(405, "method_not_allowed", f"{call.method} is not allowed here")
    raise ApiError(404, "route_not_found", "There is no such address")


def refusal(error: ApiError) -> Answer:
    """An error as the API writes it."""
    return Answer(error.status, orjson.dumps({"error": {"code": error.code, "message": str(error)}}))
