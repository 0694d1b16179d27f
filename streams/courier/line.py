"""One account's line of work: its bucket, its schedule, and the loop that starts what may start."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from connectors.kit import pacing
from connectors.kit.contract import Account, Budget
from schemas.entities import Lane
from streams.core.breaker import Breaker
from streams.core.prices import Prices
from streams.core.schedule import Item, Schedule
from streams.courier.gate import ReadGate
from streams.courier.setup import reference
from streams.courier.waiter import Waiter

_LEARNING = 0.2  # weight of the newest cost in the estimate
# Urgent work must not wait for a bucket that other work has just emptied: the latter leaves ...
_KEPT_SHARE = 0.25  # of the bucket, and no more than ...
_KEPT_SECONDS = 0.25  # ... this much refill, or one more such call
_KEPT_AFTER = 60.0  # seconds after the last urgent work; where there is none, nothing need be left for it
_KEEPING = ("level", "rate")  # buckets in which nothing is lost by leaving units there
Start = Callable[[Item, "Ticket"], None]


class Line:
    """All requests of the account pass `admit`: first in, first out, and before anything new is started.

    `running` counts pieces of work, `opening` those that have not yet been charged to the bucket: as long as there are
    any, the bucket's level says nothing about whether more may start.
    """

    def __init__(self, account: Account, budget: Budget, waiter: Waiter) -> None:
        self.account = account
        self.reference = reference(account.tenant, account.id)
        self.pacer = pacing.make(budget)
        self.schedule = Schedule()
        self.breaker = Breaker()
        self.prices = Prices()
        self.reads = ReadGate()
        self.running = 0
        self._opening = 0
        self._waiting = 0
        self._places = budget.max_in_flight
        self._urgent_at = -math.inf
        self._keeps = budget.kind in _KEEPING
        self._waiter = waiter
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()
        self._costs: dict[str, float] = {}
        self._due: dict[str, float] = {}

    def offer(self, key: str, lane: Lane, share: str, due: float = 0.0) -> None:
        """Schedule a piece of work; `share`: what it is fair against within its lane."""
        now = self._waiter.now()
        if lane is Lane.HIGH:
            self._urgent_at = max(now, due)
        self._due[key] = due if due > now else min(now, self._due.get(key, now))
        self.schedule.put(Item(key, lane, share, self._costs.get(share, 1.0), due))
        self.notify()

    def notify(self) -> None:
        """Something changed that may let work start."""
        self._changed.set()
        self._changed = asyncio.Event()

    def learn(self, share: str, cost: float) -> None:
        """What a piece of work of this share asked for in the end."""
        if cost > 0:
            self._costs[share] = (1 - _LEARNING) * self._costs.get(share, cost) + _LEARNING * cost
            self.schedule.price(share, self._costs[share])

    def blocked(self, now: float) -> float:
        """Seconds until a Retry-After, a pause or an open breaker ends; 0 when there is none."""
        return max(0.0, self.pacer.snapshot()["blocked_until"] - now, self.breaker.open_until - now)

    async def loop(self, start: Start) -> None:
        """Start work for ever, as late as possible, so that what is urgent overtakes until the last moment."""
        while True:
            changed = self._changed
            at = self._start_ready(start)
            await self._waiter.until(at, changed)

    def _start_ready(self, start: Start) -> float:
        """Start what may start. Returns when to look again."""
        while True:
            now = self._waiter.now()
            if self._opening or self._waiting or self.running >= self._places:
                return math.inf
            open_at = self.breaker.opens_at(now, self.running)
            if open_at > now:
                return open_at
            item = self.schedule.peek(now)
            if item is None:
                due = self.schedule.next_due()
                return math.inf if due is None else due
            ready = self._ready_at(now, item) if self.pacer.admits(item.cost) else now
            if ready > now:
                due = self.schedule.next_due()
                return ready if due is None else min(ready, due)
            self.schedule.take(now)
            self.running += 1
            self._opening += 1
            start(item, Ticket(self, self._due.pop(item.key, now)))

    def _room(self, cost: float) -> float:
        """What the bucket must hold for the work `peek` returned to start."""
        if not (self._keeps and self.schedule.spare and self._waiter.now() < self._urgent_at + _KEPT_AFTER):
            return cost
        bucket = self.pacer.snapshot()
        room = cost + min(_KEPT_SHARE * bucket["limit"], max(_KEPT_SECONDS * bucket["refill"], cost))
        return room if self.pacer.admits(room) else cost

    def _ready_at(self, now: float, item: Item) -> float:
        return self.pacer.ready_at(now, self._room(item.cost), urgent=item.lane is Lane.HIGH)

    async def admit(self, cost: float, room: float = 0.0, *, urgent: bool = False) -> None:
        """Wait until the bucket has room for the cost, or for more, then charge the cost. The caller settles the pacer
        exactly once afterwards."""
        room = max(cost, room) if self.pacer.admits(room) else cost
        self._waiting += 1
        try:
            async with self._turn:
                while (ready := self.pacer.ready_at(self._waiter.now(), room, urgent=urgent)) > self._waiter.now():
                    await self._waiter.until(ready, self._changed)
                self.pacer.start(self._waiter.now(), cost)
        finally:
            self._waiting -= 1

    def charged(self) -> None:
        """A piece of work was charged to the bucket, or waits for something else."""
        self._opening -= 1
        self.notify()

    def ended(self) -> None:
        """A piece of work gave its place back."""
        self.running -= 1
        self.notify()


class Ticket:
    """The place one piece of work takes in its line. `due`: since when it could have run, seconds UTC."""

    def __init__(self, line: Line, due: float) -> None:
        self._line = line
        self.due = due
        self._uncharged = True

    def charged(self) -> None:
        """The bucket's level now accounts for this work, or the work waits for something else. Idempotent."""
        if self._uncharged:
            self._uncharged = False
            self._line.charged()

    def ended(self) -> None:
        """Give the place back."""
        self.charged()
        self._line.ended()
