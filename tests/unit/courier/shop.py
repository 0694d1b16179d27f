"""A shop that does what a test's script says, and the platform through which the courier sees it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from connectors.kit.clock import ManualClock
from connectors.kit.contract import (
    Account,
    Budget,
    Envelope,
    Feedback,
    Flow,
    Ignored,
    Mapped,
    Observation,
    Page,
    Request,
    Resource,
    Response,
    Token,
    Write,
    Written,
)
from connectors.kit.errors import Invalid, OutcomeUnknown, Throttled, Unauthorised, Unavailable, Unlinkable
from schemas.entities import EntityType, Op


@dataclass
class Shop:
    """Holds the versions written to it. `script`: what becomes of the next requests, in order: a status, a lost reply
    after (or instead of) carrying it out, or a reply held back."""

    clock: ManualClock
    held: dict[str, int] = field(default_factory=dict)
    log: list[tuple[str, int]] = field(default_factory=list)
    op_ids: list[str] = field(default_factory=list)
    requests: list[tuple[float, Request]] = field(default_factory=list)
    script: deque[Callable[[Request], Any]] = field(default_factory=deque)
    late: list[tuple[float, Request]] = field(default_factory=list)
    pages: dict[str, list[list[tuple[str, bytes]]]] = field(default_factory=dict)
    records: dict[str, bytes] = field(default_factory=dict)
    gate: asyncio.Event | None = None
    good_tokens: set[str] | None = None  # None: no token is needed
    token_life: float = 3600.0
    asked_for_tokens: int = 0
    subscribed: set[str] = field(default_factory=set)

    async def send(self, account: Account, request: Request, seconds: float, /) -> Response:
        started = self.clock.now()
        self.requests.append((started / 1e6, request))
        act = self.script.popleft() if self.script else self._answer
        if self.gate is not None:
            await self.gate.wait()
        status, headers, body = act(request)
        return Response(status, headers, body, started, self.clock.now())

    def _answer(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        if request.path == "token":
            return self.hand_out(request)
        if self.good_tokens is not None and request.headers.get("token") not in self.good_tokens:
            return 401, {}, b""
        return self.carry_out(request)

    def hand_out(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        self.asked_for_tokens += 1
        token = f"token-{self.asked_for_tokens}"
        if self.good_tokens is not None:
            self.good_tokens.add(token)
        return 200, {}, token.encode()

    def carry_out(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        if not request.writes:
            return 200, {}, b" ".join(sorted(topic.encode() for topic in self.subscribed))
        if request.operation == "subscribe":
            self.subscribed.add(request.body.decode())
            return 200, {}, b""
        said = orjson.loads(request.body)
        self.held[said["key"]] = said["version"]
        self.log.append((said["key"], said["version"]))
        self.op_ids.append(said["op_id"])
        return 200, {}, b""

    def land_late(self) -> None:
        """Carry out what was sent long ago and is due."""
        for at, request in list(self.late):
            if at <= self.clock.now() / 1e6:
                self.late.remove((at, request))
                self.carry_out(request)

    # -- what a script can hold

    def status(self, code: int, body: bytes = b"", **headers: str) -> None:
        self.script.append(lambda _: (code, {k.replace("_", "-"): v for k, v in headers.items()}, body))

    def lose_reply(self) -> None:
        def act(request: Request) -> Any:
            self.carry_out(request)
            raise OutcomeUnknown("no reply came")

        self.script.append(act)

    def lose_reply_and_land_after(self, seconds: float) -> None:
        def act(request: Request) -> Any:
            self.late.append((self.clock.now() / 1e6 + seconds, request))
            raise OutcomeUnknown("no reply came")

        self.script.append(act)

    def away(self, times: int = 1) -> None:
        def act(request: Request) -> Any:
            raise Unavailable("connection refused")

        self.script.extend([act] * times)


class ScriptedPlatform:
    """Destination, poller and mapping over a Shop."""

    revision = 1

    def __init__(self, shop: Shop, *, max_in_flight: int = 4, rate: float = 1000.0) -> None:
        self.shop = shop
        self.scan = True
        self.interval = 60.0
        self.longest = 0.0
        self.resource_names: tuple[str, ...] = ()
        self.complete = True
        self.observe_writes = False
        self.found: Written | None = None  # what a read before the write says, so that nothing is written
        self._budget = Budget("rate", rate, rate, max_in_flight)

    def budget(self, account: Account) -> Budget:
        return self._budget

    def supports(self, type: EntityType, op: Op) -> bool:
        return type is not EntityType.ORDER or op is Op.UPSERT

    def write(self, account: Account, write: Write) -> Flow:
        if not write.remote_id:
            raise Unlinkable(f"{write.golden_key} was never seen at {account.id}")
        if self.found is not None:
            check((yield Request("GET", "look", "look", "/look")))
            return self.found
        check((yield Request("POST", "set", "set", "/set", headers=keyed(account), body=body(write), writes=True)))
        seen = [Observation("stock", write.remote_id, b"ours")] if self.observe_writes else []
        return Written(observed=seen)

    def fetch(self, account: Account, resource: str, remote_id: str) -> Flow:
        response = yield Request("GET", f"{resource}/{remote_id}", "fetch", f"/{resource}", headers=keyed(account))
        check(response)
        body = self.shop.records.get(remote_id)
        if body is None:
            return [Observation(resource, remote_id, b"", Op.DELETE)]
        return [Observation(resource, remote_id, body)]

    def feedback(self, request: Request, response: Response) -> Feedback:
        wait = response.headers.get("retry-after")
        return Feedback(retry_after=float(wait) if wait else None, throttled=response.status == 429)

    def resources(self, account: Account) -> tuple[Resource, ...]:
        return tuple(
            Resource(name, self.interval, scan=self.scan, longest=self.longest) for name in self.resource_names
        )

    def page(self, account: Account, resource: str, cursor: Mapping[str, Any], now: int) -> Flow:
        response = yield Request("GET", resource, f"poll.{resource}", f"/{resource}", headers=keyed(account))
        check(response)
        number = int(cursor.get("page", 0))
        found = self.shop.pages[resource][number]
        done = number + 1 == len(self.shop.pages[resource])
        seen = [Observation(resource, name, body) for name, body in found]
        return Page(seen, {} if done else {"page": number + 1}, done, complete_scan=done and self.complete)

    def map(self, account: Account, envelope: Envelope) -> list[Mapped] | Ignored:
        return Ignored("not mapped here")


class ScriptedTokens:
    """Hands out what the shop does."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def needed(self, account: Account) -> bool:
        return True

    def acquire(self, account: Account) -> Flow:
        response = yield Request("POST", "token", "acquire_token", "/token")
        check(response)
        return Token({"access_token": response.body.decode()}, self._shop.token_life)


class ScriptedSubscriptions:
    """Wants `topics`, each with the resources that show what it tells of."""

    def __init__(self, topics: Mapping[str, tuple[str, ...]]) -> None:
        self._topics = topics

    def wanted(self, account: Account) -> Mapping[str, tuple[str, ...]]:
        return self._topics

    def listed(self, account: Account) -> Flow:
        response = yield Request("GET", "subscriptions", "read_subscriptions", "/subscriptions", headers=keyed(account))
        check(response)
        return set(response.body.decode().split())

    def subscribe(self, account: Account, topic: str) -> Flow:
        headers, path = keyed(account), "subscriptions"
        request = Request("POST", path, "subscribe", "/subscriptions", headers, body=topic.encode(), writes=True)
        check((yield request))


def keyed(account: Account) -> dict[str, str]:
    """The header that opens the shop's door."""
    return {"token": account.secrets.get("access_token", ("none",))[0]}


def body(write: Write) -> bytes:
    """What the shop reads of a write."""
    said = {"key": write.golden_key, "version": write.golden_version, "op_id": write.op_id, "fields": write.fields}
    return orjson.dumps(said)


def check(response: Response) -> None:
    """The usual reading of a status."""
    if response.status == 401:
        raise Unauthorised("the token is refused")
    if response.status == 429:
        wait = response.headers.get("retry-after")
        raise Throttled("slow down", retry_after=float(wait) if wait else None)
    if response.status >= 500:
        raise Unavailable(f"status {response.status}")
    if response.status >= 400:
        raise Invalid(response.body.decode())
