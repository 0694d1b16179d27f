"""POST /webhooks/{platform}/{tenant}/{account}: 200 means the delivery is in Kafka, byte for byte.

    200  acknowledged by all in-sync replicas
    400  the body is cut off
    401  the signature does not fit
    404  no such route, account, or platform with webhooks
    408  the body did not arrive in time
    413  the body is larger than the platform's limit
    503  not known to be in Kafka; Retry-After says when to come again

A correctly signed body gets 200 or 503 and nothing else: whether it is JSON or can be mapped is not for the front
door to judge, and repeated deliveries are told apart behind it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import orjson
import structlog
from aiohttp import web

from connectors.kit.contract import Account, Delivery, Platform, Source
from connectors.kit.errors import BadSignature, Refused, TooLarge, UnknownRoute
from connectors.kit.metrics import Metrics
from streams.receiver.envelope import RawRecords
from streams.receiver.measure import ACCEPTED, OVERLOADED, STRANGE, UNAVAILABLE, Measures
from streams.receiver.producer import Away, Sink
from streams.receiver.stored import stored

ROUTE = "/webhooks/{platform}/{tenant}/{account}"
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
_B = TypeVar("_B", bytes, bytearray)
_QUIET = 10.0  # seconds between two log lines about one account's bad signatures
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """`in_flight`: deliveries between arrival and answer; `in_flight_bytes`: bodies that wait for Kafka;
    `largest_body`: bytes, below which a platform may have a limit of its own. Times are in seconds."""

    in_flight: int = 2_000
    in_flight_bytes: int = 134_217_728
    largest_body: int = 5_242_880
    body_timeout: float = 10.0
    retry_after: int = 2


class SlowBody(Refused):
    """The body did not arrive in time."""

    reason = "slow_body"
    status = 408


class BrokenBody(Refused):
    """The connection ended before the body did."""

    reason = "broken_body"
    status = 400


class Busy(Exception):
    """More is in flight than the limits allow."""


class Receiver:
    """The front door of one process. `now`: microseconds UTC."""

    def __init__(
        self,
        accounts: Mapping[tuple[str, str], Account],
        platforms: Mapping[str, Platform],
        records: RawRecords,
        sink: Sink,
        *,
        limits: Limits | None = None,
        measures: Measures | None = None,
        now: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self._accounts = accounts
        self._sources = {name: one.source for name, one in platforms.items() if one.source is not None}
        self._addresses = dict(self._known(accounts))
        self._records = records
        self._sink = sink
        self._limits = limits or Limits()
        self._measures = measures or Measures(Metrics())
        self._now = now
        self._in_flight = 0
        self._bytes = 0
        self._noted: dict[str, float] = {}

    @property
    def in_flight(self) -> int:
        """Deliveries that are not answered yet."""
        return self._in_flight

    def application(self, more: Sequence[web.RouteDef] = ()) -> web.Application:
        """The aiohttp application; `more` are further routes (health, metrics)."""
        largest = max((source.max_body for source in self._sources.values()), default=0)
        app = web.Application(client_max_size=largest + 1)
        app.router.add_post(ROUTE, self.handle)
        app.add_routes(more)
        return app

    def directly(self, routed: Handler) -> Handler:
        """A handler that knows the addresses of all accounts by heart and gives everything else to `routed`, the
        application's: the router costs as much as the signature (measured)."""

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            found = self._addresses.get(request.raw_path)
            if found is None or request.method != "POST" or "Expect" in request.headers:
                return await routed(request)
            return await self._deliver(request, *found)

        return handle

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One delivery to any address of the route."""
        began = time.perf_counter()
        names = request.match_info
        try:
            account, source = self._route(names["platform"], names["tenant"], names["account"])
        except UnknownRoute as refused:
            platform = names["platform"] if names["platform"] in self._sources else STRANGE
            self._measures.answered(platform, refused.reason, time.perf_counter() - began)
            return _refusal(refused)
        return await self._deliver(request, account, source)

    async def _deliver(self, request: web.BaseRequest, account: Account, source: Source) -> web.StreamResponse:
        began = time.perf_counter()
        self._in_flight += 1
        try:
            outcome, response = await self._answer(request, account, source, began)
        finally:
            self._in_flight -= 1
        self._measures.answered(account.platform, outcome, time.perf_counter() - began)
        return response

    async def _answer(
        self, request: web.BaseRequest, account: Account, source: Source, began: float
    ) -> tuple[str, web.StreamResponse]:
        try:
            self._admit()
            await self._store(request, account, source)
        except Refused as refused:
            self._note(account.id, refused, began)
            return refused.reason, _refusal(refused)
        except Busy as error:
            return OVERLOADED, self._again(str(error))
        except Away as error:
            return UNAVAILABLE, self._again(str(error))
        except Exception:
            # A defect or a missing secret of ours: the vendor keeps the delivery and comes again.
            log.exception("a delivery could not be stored", account=account.id, platform=account.platform)
            return UNAVAILABLE, self._again("the receiver failed; see its log")
        return ACCEPTED, stored(request)

    def _known(self, accounts: Mapping[tuple[str, str], Account]) -> Iterator[tuple[str, tuple[Account, Source]]]:
        """Each account that takes webhooks, by the plain spelling of its address."""
        for (tenant, name), account in accounts.items():
            source = self._sources.get(account.platform)
            if source is not None:
                path = "/".join(quote(part, safe="") for part in (account.platform, tenant, name))
                yield f"/webhooks/{path}", (account, source)

    def _route(self, platform: str, tenant: str, account: str) -> tuple[Account, Source]:
        found = self._accounts.get((tenant, account))
        source = self._sources.get(platform)
        if found is None or source is None or found.platform != platform:
            raise UnknownRoute(
                f"no account {account!r} of tenant {tenant!r} takes webhooks of {platform!r}",
                hint="compare the webhook's address with the accounts that `sluice config check` reads",
            )
        return found, source

    def _admit(self) -> None:
        limits = self._limits
        if self._in_flight > limits.in_flight or self._bytes > limits.in_flight_bytes:
            raise Busy(f"{self._in_flight} deliveries with {self._bytes} bytes are in flight")

    async def _body(self, request: web.BaseRequest, limit: int) -> bytes:
        length = request.content_length
        if length is not None and length > limit:
            raise _too_large(length, limit)
        if request.content.is_eof():  # it came with the head: no timer needed
            return _within(request.content.read_nowait(), limit)
        try:
            async with asyncio.timeout(self._limits.body_timeout):
                return await _read(request, limit)
        except (web.RequestPayloadError, ConnectionError) as error:
            raise BrokenBody(f"the body cannot be read: {type(error).__name__}") from error
        except TimeoutError:
            raise SlowBody(f"the body did not arrive within {self._limits.body_timeout:g} s") from None

    async def _store(self, request: web.BaseRequest, account: Account, source: Source) -> None:
        body = await self._body(request, min(source.max_body, self._limits.largest_body))
        delivery = Delivery(request.headers, body, self._now())
        source.authenticate(account, delivery)
        record = self._records.make(account, source, delivery, source.facts(account, delivery))
        self._bytes += len(body)
        try:
            await self._sink.send(record)
        finally:
            self._bytes -= len(body)

    def _note(self, account: str, refused: Refused, at: float) -> None:
        """A wrong secret must be seen in the log, a flood of forgeries must not fill it."""
        if isinstance(refused, BadSignature) and at - self._noted.get(account, -_QUIET) >= _QUIET:
            self._noted[account] = at
            log.warning("refused a delivery", account=account, reason=refused.reason, detail=str(refused))

    def _again(self, why: str) -> web.Response:
        retry = {"Retry-After": str(self._limits.retry_after)}
        return _json(503, "unavailable", f"not stored: {why}; deliver it again", retry)


async def _read(request: web.BaseRequest, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        _within(body, limit)
    return bytes(body)


def _within(body: _B, limit: int) -> _B:
    if len(body) > limit:
        raise _too_large(len(body), limit)
    return body


def _too_large(size: int, limit: int) -> TooLarge:
    return TooLarge(f"a body of {size} bytes; the limit is {limit}")


def _refusal(error: Refused) -> web.Response:
    # The detail of a bad signature may name settings of the account: outsiders learn no more than that it is bad.
    detail = "the signature does not fit the body" if isinstance(error, BadSignature) else str(error)
    response = _json(error.status, error.reason, detail)
    if isinstance(error, TooLarge | SlowBody | BrokenBody):
        response.force_close()  # the rest of the body is not read
    return response


def _json(status: int, error: str, detail: str, more: Mapping[str, str] | None = None) -> web.Response:
    body: dict[str, Any] = {"error": error, "detail": detail}
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json", headers=more)
