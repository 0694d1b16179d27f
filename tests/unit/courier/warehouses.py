"""Two warehouses of one merchant behind one courier, either of which may be away or lose its replies."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

import orjson

from connectors.kit.clock import ManualClock
from connectors.kit.contract import Account, Flow, Request, Response, Write, Written
from connectors.kit.errors import OutcomeUnknown, Unavailable
from connectors.kit.operations import InDoubt, Operation
from schemas import topics
from schemas.entities import EntityType, Op
from streams.core import courier_rows as rows
from streams.core.courier_rows import Intent
from streams.core.route import Route
from tests.unit.courier.shop import ScriptedPlatform, Shop, body, check, keyed
from tests.unit.courier.world import CODEC, PLATFORM, World, command

NEAR, FAR = "near", "far"
FALLBACKS = {f"acme|{NEAR}": dict.fromkeys(("orders", "cancel"), Route(FAR, PLATFORM))}
ORDERS = Operation(InDoubt.VERIFY, reroutable=True)


class Warehouses(Shop):
    """`away`: accounts that cannot be reached; `deaf`: accounts whose replies to writes get lost once they were carried
    out; `done`: operations carried out, by account."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.away_now: set[str] = set()
        self.deaf: set[str] = set()
        self.slow: asyncio.Event | None = None  # requests that are answered when it is set
        self.done: dict[str, list[str]] = defaultdict(list)

    async def send(self, account: Account, request: Request, seconds: float, /) -> Response:
        at = self.clock.now()
        self.requests.append((at / 1e6, request))
        if self.slow is not None:
            await self.slow.wait()
        if account.id in self.away_now:
            raise Unavailable("connection refused", reason="unreachable")
        if request.writes:
            self.done[account.id].append(orjson.loads(request.body)["op_id"])
            if account.id in self.deaf:
                raise OutcomeUnknown("no reply came")
        return Response(200, {}, orjson.dumps(self.done[account.id]), at, at)


class Warehouse(ScriptedPlatform):
    """`looks_first`: an order is looked for before it is sent, as most APIs without unique references need."""

    looks_first = True

    def supports(self, type: EntityType, op: Op) -> bool:
        return True

    def write(self, account: Account, write: Write) -> Flow:
        if self.looks_first:
            found = yield from self._find(account, write)
            if found is not None:
                return found
        check((yield Request("POST", "orders", "create", "/orders", keyed(account), body=body(write), writes=True)))
        return Written()

    def verify(self, account: Account, write: Write) -> Flow:
        return (yield from self._find(account, write))

    def operation(self, type: EntityType, op: Op) -> Operation:
        return ORDERS

    def _find(self, account: Account, write: Write) -> Flow:
        response = yield Request("GET", "orders", "find", "/orders", keyed(account))
        check(response)
        return Written(no_op=True) if write.op_id in orjson.loads(response.body) else None


class Yard(World):
    """One courier of both. `pump` brings tasks that were handed over back in, as the broker would."""

    def __init__(self, *, looks_first: bool = True) -> None:
        super().__init__(accounts=(NEAR, FAR))
        self.shop: Warehouses = Warehouses(self.clock)
        self.vendor = Warehouse(self.shop)
        self.vendor.looks_first = looks_first
        self.fallbacks = FALLBACKS
        self.pumped = 0

    def order(self, name: str, flow: str = "orders", version: int = 1, **changes: Any) -> None:
        """The resolver asks the near warehouse."""
        task = dict(CODEC.decode(command(name, f"{flow}|{name}|{NEAR}", version)))
        self.push(CODEC.encode("push_task", {**task, "account": NEAR, "flow": flow, **changes}))

    def tick(self) -> None:
        """As the host does every 100 ms."""
        assert self.courier is not None
        self.courier.tick(self.shard)
        self.shard.flush()

    def pump(self) -> None:
        """What was committed for another account arrives."""
        handed_over = self.shard.outputs(topics.push(PLATFORM))
        values = [one.value or b"" for one in handed_over[self.pumped :]]
        self.pumped = len(handed_over)
        if values:
            self.push(*values)

    async def live(self, seconds: float, step: float = 1.0) -> None:
        """Let time pass, ticks and the broker included."""
        passed = 0.0
        while passed < seconds:
            await self.advance(step)
            self.tick()
            self.pump()
            passed += step

    def intents(self) -> dict[str, set[str]]:
        """By operation the accounts that hold an intent of it."""
        found: dict[str, set[str]] = defaultdict(set)
        for account in (NEAR, FAR):
            for _, data in self.shard.rows.scan(rows.key(rows.INTENT, f"acme|{account}")):
                intent: Intent = rows.unpack_intent(data)
                found[intent.op_id].add(account)
        return found
