"""Between the courier and the modelled API: round trips, lost replies, outages, and a note of every call."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from connectors.kit import contract
from connectors.kit.contract import Request, Response
from connectors.kit.errors import OutcomeUnknown, Unavailable
from streams.testing.score.api import Account, Api
from streams.testing.score.loop import LoopClock
from streams.testing.score.platform import flow_of


class Fate(StrEnum):
    """What became of a call at the API."""

    FLYING = "flying"  # the run ended before
    ADMITTED = "admitted"
    REFUSED = "refused"
    LOST = "lost"  # it never arrived
    AWAY = "away"  # nobody was there


@dataclass(slots=True)
class Call:
    """One call. Times in seconds from the start of the run; `told`: when its reply reached the courier, None for never.
    `expected` and `cost` in the bucket's units. `useless`: it wrote what the API already held, or less."""

    sent: float
    account: str
    flow: str
    entity: str
    version: int
    operation: str
    expected: float
    fate: Fate = Fate.FLYING
    arrived: float = 0.0
    told: float | None = None
    cost: float = 0.0
    useless: bool = False
    regressed: bool = False


@dataclass(slots=True)
class Wire:
    """Implements streams.courier.setup.Sender. `accounts`: the API's side, by account id."""

    api: Api
    accounts: Mapping[str, Account]
    clock: LoopClock
    rng: random.Random
    start: float
    calls: list[Call] = field(default_factory=list)
    _held: dict[tuple[str, str], int] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)

    async def send(self, account: contract.Account, request: Request, seconds: float, /) -> Response:
        """The reply; raises Unavailable in an outage, OutcomeUnknown when the reply is lost."""
        began = self.clock.now()
        call = self._noted(account, request)
        there, back = self._way(), self._way()
        carried, told = self._luck()
        await asyncio.sleep(there)
        call.arrived = self._now()
        if self._away(account):
            call.fate = Fate.AWAY
            raise Unavailable("connection refused")
        reply = None
        if carried:
            reply = self.accounts[account.id].ask(call.arrived, request)
            call.cost, call.fate = reply.cost, Fate.ADMITTED if reply.admitted else Fate.REFUSED
            if reply.status >= 500:
                call.useless = True
            elif reply.admitted:
                self._carry_out(call, request)
        else:
            call.fate = Fate.LOST
        if not told or reply is None:
            await asyncio.sleep(back if told else seconds - there)
            raise OutcomeUnknown("the connection was closed" if told else f"no reply within {seconds:g} s")
        await asyncio.sleep(back)
        call.told = self._now()
        return Response(reply.status, reply.headers, b"", began, self.clock.now())

    def _now(self) -> float:
        return self.clock.monotonic() - self.start

    def _noted(self, account: contract.Account, request: Request) -> Call:
        version = int(request.body.split(b" ", 1)[0])
        flow = flow_of(request.path)
        call = Call(self._now(), account.id, flow, request.path, version, request.operation, request.cost)
        self.calls.append(call)
        return call

    def _way(self) -> float:
        return self.rng.uniform(*self.api.rtt) / 2

    def _luck(self) -> tuple[bool, bool]:
        """Whether the request is carried out, and whether the courier hears of it."""
        if self.rng.random() >= self.api.lost:
            return True, True
        carried = self.rng.random() < 0.5
        return carried, not carried

    def _away(self, account: contract.Account) -> bool:
        bucket = self.accounts[account.id].bucket
        bucket.advance(self._now())
        closed = bucket.closed()
        return closed is not None and closed.outage

    def _carry_out(self, call: Call, request: Request) -> None:
        if not request.writes:
            return
        op_id, key = request.body.split(b" ", 1)[1].decode(), (call.account, call.entity)
        held = self._held.get(key, 0)
        call.useless = op_id in self._done or call.version <= held
        call.regressed = call.version < held
        self._held[key] = max(held, call.version)
        self._done.add(op_id)
