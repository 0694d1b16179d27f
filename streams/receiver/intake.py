"""What the receiver does with a delivery once its bytes are there, whichever way they came in: no HTTP in here.

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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

import orjson
import structlog

from connectors.kit.contract import Account, Delivery, Platform, Source
from connectors.kit.errors import BadSignature, Refused, TooLarge, UnknownRoute
from connectors.kit.metrics import Metrics
from streams.receiver.envelope import RawRecords
from streams.receiver.measure import ACCEPTED, OVERLOADED, STRANGE, UNAVAILABLE, Measures
from streams.receiver.producer import Away, Sink

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


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `close`: the rest of the request is not read, so the connection ends with it."""

    status: int
    body: bytes = b""
    retry_after: int | None = None
    close: bool = False


STORED = Reply(200)
Failure = Refused | Busy | Away
Answer = Callable[[Reply], None]


@dataclass(frozen=True, slots=True)
class Address:
    """Where deliveries of one account arrive. `largest_body`: bytes."""

    account: Account
    source: Source
    largest_body: int


class Intake:
    """The front door of one process. Lives on one event loop. `now`: microseconds UTC."""

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
        self.limits = limits or Limits()
        self._sources = {name: one.source for name, one in platforms.items() if one.source is not None}
        self._addresses = dict(self._known(accounts))
        self._records = records
        self._sink = sink
        self._measures = measures or Measures(Metrics())
        self._now = now
        self._in_flight = 0
        self._bytes = 0
        self._noted: dict[str, float] = {}

    @property
    def in_flight(self) -> int:
        """Deliveries that are not answered yet."""
        return self._in_flight

    def addresses(self) -> dict[bytes, Address]:
        """Every address that takes deliveries, by the plain spelling of its path."""
        return {
            f"/webhooks/{'/'.join(quote(part, safe='') for part in names)}".encode(): address
            for names, address in self._addresses.items()
        }

    def address(self, platform: str, tenant: str, account: str) -> Address:
        """Raises UnknownRoute, counted, when nothing is delivered there."""
        found = self._addresses.get((platform, tenant, account))
        if found is None:
            self._measures.answered(platform if platform in self._sources else STRANGE, UnknownRoute.reason, 0.0)
            raise UnknownRoute(
                f"no account {account!r} of tenant {tenant!r} takes webhooks of {platform!r}",
                hint="compare the webhook's address with the accounts that `sluice config check` reads",
            )
        return found

    def enter(self) -> None:
        """A delivery begins whose body is still to come; `leave` when it came or did not. Raises Busy."""
        self._admit()
        self._in_flight += 1

    def leave(self) -> None:
        """The end of what `enter` began."""
        self._in_flight -= 1

    def take(self, at: Address, headers: Mapping[str, str], body: bytes, answer: Answer) -> None:
        """Check and store one delivery; `answer` is called once, with the reply, possibly before this returns.

        `headers` has lower-case names.
        """
        began = time.perf_counter()
        try:
            self._admit()
            delivery = Delivery(headers, body, self._now())
            at.source.authenticate(at.account, delivery)
            future = self._sink.send(
                self._records.make(at.account, at.source, delivery, at.source.facts(at.account, delivery))
            )
        except (Refused, Busy, Away) as error:
            answer(self.refuse(at, error, time.perf_counter() - began))
            return
        except Exception:
            # A defect or a missing secret of ours: the vendor keeps the delivery and comes again.
            log.exception("a delivery could not be stored", account=at.account.id, platform=at.account.platform)
            answer(self.refuse(at, Away("the receiver failed; see its log"), time.perf_counter() - began))
            return
        self._in_flight += 1
        self._bytes += len(body)
        future.add_done_callback(partial(self._reported, at, len(body), began, answer))

    def refuse(self, at: Address, error: Failure, seconds: float) -> Reply:
        """The reply to a delivery that failed with `error` after so long; counts it and says it where that helps."""
        outcome, reply = self._failed(at.account, error)
        self._measures.answered(at.account.platform, outcome, seconds)
        return reply

    def _reported(self, at: Address, size: int, began: float, answer: Answer, future: asyncio.Future[None]) -> None:
        self._in_flight -= 1
        self._bytes -= size
        seconds = time.perf_counter() - began
        error = future.exception()
        if error is None:
            self._measures.answered(at.account.platform, ACCEPTED, seconds)
            answer(STORED)
        else:
            assert isinstance(error, Away)  # as Sink promises
            answer(self.refuse(at, error, seconds))

    def _known(self, accounts: Mapping[tuple[str, str], Account]) -> Iterator[tuple[tuple[str, str, str], Address]]:
        for (tenant, name), account in accounts.items():
            source = self._sources.get(account.platform)
            if source is not None:
                largest = min(source.max_body, self.limits.largest_body)
                yield (account.platform, tenant, name), Address(account, source, largest)

    def _admit(self) -> None:
        limits = self.limits
        if self._in_flight >= limits.in_flight or self._bytes > limits.in_flight_bytes:
            raise Busy(f"{self._in_flight} deliveries with {self._bytes} bytes are in flight")

    def _failed(self, account: Account, error: Failure) -> tuple[str, Reply]:
        if isinstance(error, Refused):
            self._note(account.id, error)
            return error.reason, refusal(error)
        if isinstance(error, Busy):
            return OVERLOADED, self._again(str(error))
        return UNAVAILABLE, self._again(str(error))

    def _note(self, account: str, refused: Refused) -> None:
        """A wrong secret must be seen in the log, a flood of forgeries must not fill it."""
        at = time.monotonic()
        if isinstance(refused, BadSignature) and at - self._noted.get(account, -_QUIET) >= _QUIET:
            self._noted[account] = at
            log.warning("refused a delivery", account=account, reason=refused.reason, detail=str(refused))

    def _again(self, why: str) -> Reply:
        return Reply(503, _told("unavailable", f"not stored: {why}; deliver it again"), self.limits.retry_after)


def refusal(error: Refused) -> Reply:
    """What a delivery is told that is not taken."""
    # The detail of a bad signature may name settings of the account: outsiders learn no more than that it is bad.
    detail = "the signature does not fit the body" if isinstance(error, BadSignature) else str(error)
    unread = isinstance(error, TooLarge | SlowBody | BrokenBody)
    return Reply(error.status, _told(error.reason, detail), close=unread)


def slow(limits: Limits) -> SlowBody:
    """The body took longer than the limits allow."""
    return SlowBody(f"the body did not arrive within {limits.body_timeout:g} s")


def broken(cause: BaseException | None) -> BrokenBody:
    """The body ended too early."""
    return BrokenBody(f"the body cannot be read: {type(cause).__name__ if cause else 'the connection ended'}")


def _told(error: str, detail: str) -> bytes:
    return orjson.dumps({"error": error, "detail": detail})
