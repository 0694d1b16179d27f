"""One account's line of work: its buckets, its schedule, and the loop that starts what may start."""

from __future__ import annotations

import asyncio
import heapq
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import count

from connectors.kit.buckets import NONE, OWN, Buckets
from connectors.kit.contract import Account, Budget
from connectors.kit.costs import Costs
from connectors.kit.skew import ClockSkew
from schemas import identity
from schemas.entities import Lane
from streams.core.breaker import Breaker
from streams.core.places import Place
from streams.core.schedule import Item, Schedule
from streams.courier.credentials import Credentials
from streams.courier.gate import ReadGate
from streams.courier.setup import reference
from streams.courier.waiter import Waiter

_LEARNING = 0.2  # weight of the newest cost in the estimate
# Urgent work must not wait for a bucket that other work has just emptied: the latter leaves ...
_KEPT_SHARE = 0.25  # of the bucket, and no more than ...
_KEPT_SECONDS = 0.25  # ... this much refill, or one more such call
_KEPT_AFTER = 60.0  # seconds after the last urgent work; where there is none, nothing need be left for it
_KEEPING = ("level", "rate")  # buckets in which nothing is lost by leaving units there
_RANKS: Mapping[Lane, int] = {lane: rank for rank, lane in enumerate(Lane)}
_NOBODY = len(_RANKS)
ELSEWHERE = "@fallback"  # behind the name of a class: the same at the account's fallback
Start = Callable[[Item, "Ticket"], None]


class Line:
    """All requests of the account pass `admit`: by lane, first in, first out, and before anything less urgent starts.

    `running` counts pieces of work, `opening` those that have not yet been charged to the bucket: as long as there are
    any, the bucket's level says nothing about whether more may start. `breaker` is the account's own; those of its
    endpoint classes are in `breakers`.
    """

    def __init__(
        self,
        account: Account,
        budget: Budget,
        waiter: Waiter,
        schedule: Schedule | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self.credentials = credentials or Credentials(account)
        self.reference = reference(account.tenant, account.id)
        self.pacer = Buckets(budget)
        self.schedule = Schedule() if schedule is None else schedule
        self.breaker = Breaker()
        self.breakers: dict[str, Breaker] = {}
        self.costs = Costs()
        self.skew = ClockSkew()
        self.reads = ReadGate()
        self.running = 0
        self._elsewhere = 0  # of them at the account's fallback
        self._running: Counter[str] = Counter()  # by endpoint class
        self._movable: set[str] = set()  # classes of reads, which may use the account's fallback
        self._opening: list[int] = []  # ranks of lanes
        self._waiting: list[tuple[int, int]] = []  # rank and number of who waits to be admitted, a heap
        self._places = budget.max_in_flight
        self._keeps = budget.kind in _KEEPING
        self._urgent_at = -math.inf
        self._waiter = waiter
        self._changed = asyncio.Event()
        self._numbers = count()
        self._costs: dict[str, float] = {}
        self._charges: dict[str, Mapping[str, float]] = {}
        self._short: dict[str, float] = {}  # bucket -> until when more urgent work waits for it
        self._paced: set[str] = set()  # classes held for want of a bucket
        self._due: dict[str, float] = {}

    @property
    def account(self) -> Account:
        """The account as requests are to be made for it now: with the token that it has."""
        return self.credentials.account

    @property
    def elsewhere(self) -> Account:
        """The same at its fallback."""
        return replace(self.account, base_url=self.account.fallback_url)

    def offer(self, key: str, lane: Lane, share: str, due: float = 0.0, *, movable: bool = False) -> None:
        """Schedule a piece of work; `share`: what it is fair against within its lane; `movable`: it is of a class that
        only reads, and may be read at the account's fallback as well, as rows that are fetches always are."""
        self._put(self._waiter.now(), key, Place(lane, share, due), movable=movable)
        self.notify()

    def offer_all(self, places: Iterable[tuple[str, Place]]) -> None:
        """Schedule a portion of many rows. They are admitted at once: at the first look at all of them that would take
        seconds."""
        now = self._waiter.now()
        for key, place in places:
            if place.due != math.inf:
                self._put(now, key, place)
        self.schedule.peek(now)
        self.notify()

    def alike(self, key: str, lane: Lane, share: str, most: int) -> Iterator[str]:
        """Work that waits as this piece did: due, of the same lane, share and class; the first so many, in order. What
        was named may be withdrawn meanwhile; nothing may be offered."""
        return self.schedule.alike(self._item(key, Place(lane, share, 0.0)), most)

    def _put(self, now: float, key: str, place: Place, *, movable: bool = False) -> None:
        due = place.due
        if (movable or place.is_fetch) and self.account.fallback_url:
            self._movable.add(endpoint_class(key, place.share))
        if place.lane is Lane.HIGH:
            self._urgent_at = max(now, due)
        self._due[key] = due if due > now else min(now, self._due.get(key, now))
        self.schedule.put(self._item(key, place))

    def _item(self, key: str, place: Place) -> Item:
        lane, share, due, _ = place
        return Item(key, lane, share, self._costs.get(share, 1.0), due, endpoint_class(key, share))

    def withdraw(self, key: str) -> None:
        """A piece of work is done together with another one and needs no place of its own."""
        self.schedule.remove(key)
        self._due.pop(key, None)

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
        everywhere = min((one.open_until for one in self.breakers.values()), default=0.0)
        return max(0.0, self.pacer.blocked_until - now, self.breaker.open_until - now, everywhere - now)

    @property
    def stopped(self) -> str:
        """Why nothing goes on, at the account or in any class that was called; empty while something does."""
        reasons = [one.reason for one in self.breakers.values()]
        return self.breaker.reason or (reasons[0] if reasons and all(reasons) else "")

    @property
    def healthy(self) -> bool:
        """Whether no breaker is open."""
        return self.breaker.closed and all(one.closed for one in self.breakers.values())

    def away(self, group: str) -> bool:
        """Whether nothing of an endpoint class may start now: its breaker or the account's is open, or a probe is
        running."""
        now, own = self._waiter.now(), self.breakers.get(group)
        if self._opens_at(now) > now:
            return True
        return own is not None and own.opens_at(now, self._running[group]) > now

    def breaker_of(self, group: str) -> Breaker:
        """The breaker of an endpoint class."""
        return self.breakers.setdefault(group, Breaker())

    # -- the loop

    async def loop(self, start: Start) -> None:
        """Start work for ever, as late as possible, so that what is urgent overtakes until the last moment."""
        while True:
            changed = self._changed
            at = self._start_ready(start)
            await self._waiter.until(at, changed)

    def _start_ready(self, start: Start) -> float:
        """Start what may start. Returns when to look again."""
        self._let_go()
        while True:
            now = self._waiter.now()
            places = self.breaker.places(now, self._places)
            own = self.running - self._elsewhere
            if own >= places or self.running >= self._places:
                return math.inf
            open_at = self._opens_at(now)
            if open_at > now and not self._movable:
                return open_at
            item = self.schedule.peek(now)
            if item is None:
                return self._next_due()
            if _RANKS[item.lane] >= self._urgent() or (item.lane is not Lane.HIGH and own >= _kept(places)):
                return math.inf
            if self._held(item, now):
                continue
            ready = self._ready_at(item, now)
            if ready > now:
                return min(ready, self._next_due())
            if ready == now:
                self._begin(item, now, start)

    def _begin(self, item: Item, now: float, start: Start) -> None:
        elsewhere = self._goes_elsewhere(item.group)
        ticket = Ticket(self, item, self._due.pop(item.key, now), elsewhere=elsewhere)
        self.schedule.take(now)
        self.running += 1
        self._running[ticket.group] += 1
        self._elsewhere += elsewhere
        self._opening.append(_RANKS[item.lane])
        start(item, ticket)

    def _next_due(self) -> float:
        due = self.schedule.next_due()
        return math.inf if due is None else due

    def _urgent(self) -> int:
        """The most urgent of those that were started and have still to be charged."""
        waiting = self._waiting[0][0] if self._waiting else _NOBODY
        return min(min(self._opening, default=_NOBODY), waiting)

    def _held(self, item: Item, now: float) -> bool:
        """Whether the item's class has to wait for its breaker, or the account's; then other work goes on."""
        until = max(self._opens_at(now), self._class_opens_at(item.group, now))
        elsewhere = self._goes_elsewhere(item.group)
        # Half of the places are for probes of the account itself, and for what it does when it is back.
        if elsewhere and self._elsewhere < max(1, self._places // 2):
            until = min(until, self._class_opens_at(f"{item.group}{ELSEWHERE}", now))
        if until > now:
            self.schedule.hold(item.group, until)
            if elsewhere or not self.breaker.closed:
                self._paced.add(item.group)  # whoever is held because of the account is looked at with it
        return until > now

    def may_move(self, ticket: Ticket) -> bool:
        """Whether work that has failed at the account's own address would go to the fallback now."""
        own = self.breakers.get(ticket.scheduled)
        shut = not self.breaker.closed or (own is not None and not own.closed)
        return shut and ticket.scheduled in self._movable and not ticket.elsewhere

    def _goes_elsewhere(self, group: str) -> bool:
        """Whether the class is read at the account's fallback now."""
        return group in self._movable and self.away(group)

    def _opens_at(self, now: float) -> float:
        """When anything may; work elsewhere is no probe."""
        return self.breaker.opens_at(now, self.running - self._elsewhere)

    def _class_opens_at(self, group: str, now: float) -> float:
        breaker, running = self.breakers.get(group), self._running[group]
        if breaker is None:
            return now
        return math.inf if running >= breaker.places(now, self._places) else breaker.opens_at(now, running)

    def _ready_at(self, item: Item, now: float) -> float:
        """When the buckets have room. When it is a named one that has none, the item's class is held, so that what is
        not charged to that bucket goes on (-inf: look at the next item); less urgent work must not empty it."""
        if not self.pacer.admits(item.cost):
            return now
        charges = self._charges.get(item.share, NONE)
        ready, bucket = self.pacer.tightest(now, self._room(item.cost, now), charges, item.lane is Lane.HIGH)
        claimed = max((until for name, until in self._short.items() if charges.get(name, 1.0) > 0.0), default=now)
        if bucket == OWN and ready > now:
            return ready
        until = max(ready, claimed)
        if until <= now:
            return now
        if ready > now:
            self._short[bucket] = until
        self._paced.add(item.group)
        self.schedule.hold(item.group, until)
        return -math.inf

    def _room(self, cost: float, now: float) -> float:
        """What the account's own bucket must hold for the work `peek` returned to start."""
        if not (self._keeps and self.schedule.spare and now < self._urgent_at + _KEPT_AFTER):
            return cost
        bucket = self.pacer.snapshot()
        room = cost + min(_KEPT_SHARE * bucket["limit"], max(_KEPT_SECONDS * bucket["refill"], cost))
        return room if self.pacer.admits(room) else cost

    def _let_go(self) -> None:
        """Holds for want of a bucket are looked at anew: what was settled may have given something back."""
        for group in self._paced:
            self.schedule.release(group)
        self._paced.clear()
        self._short.clear()

    # -- requests

    async def admit(
        self, cost: float, charges: Mapping[str, float] = NONE, lane: Lane = Lane.NORMAL, room: float = 0.0
    ) -> None:
        """Wait until the buckets have room for the cost, or the own one for more, then charge the cost. The caller
        settles the pacer exactly once afterwards."""
        room = max(cost, room) if self.pacer.admits(room, charges) else cost
        place = _RANKS[lane], next(self._numbers)
        heapq.heappush(self._waiting, place)
        try:
            while True:
                changed, ready = self._changed, math.inf
                if self._waiting[0] == place:
                    ready = self.pacer.ready_at(self._waiter.now(), room, lane is Lane.HIGH, charges)
                    if ready <= self._waiter.now():
                        break
                await self._waiter.until(ready, changed)
            self.pacer.start(self._waiter.now(), cost, charges)
        finally:
            self._waiting.remove(place)
            heapq.heapify(self._waiting)
            self.notify()

    def charged(self, item: Item, charges: Mapping[str, float] | None) -> None:
        """A piece of work was charged to the bucket (so much to the named ones), or waits for something else."""
        self._opening.remove(_RANKS[item.lane])
        if charges is not None:
            self._charges[item.share] = charges
        self.notify()

    def ended(self, item: Item, ticket: Ticket) -> None:
        """A piece of work gave its place back."""
        self.running -= 1
        self._running[ticket.group] -= 1
        self._elsewhere -= ticket.elsewhere
        self.schedule.release(item.group)
        self.notify()


class Ticket:
    """The place one piece of work takes in its line. `due`: since when it could have run, seconds UTC; `elsewhere`: its
    requests go to the account's fallback."""

    def __init__(self, line: Line, item: Item, due: float, *, elsewhere: bool = False) -> None:
        self._line = line
        self._item = item
        self.due = due
        self.elsewhere = elsewhere
        self._uncharged = True

    @property
    def group(self) -> str:
        """The endpoint class of this work; that at the fallback is another one."""
        return f"{self._item.group}{ELSEWHERE}" if self.elsewhere else self._item.group

    @property
    def scheduled(self) -> str:
        """The endpoint class by which it is scheduled and held."""
        return self._item.group

    def charged(self, charges: Mapping[str, float] | None = None) -> None:
        """The bucket's level now accounts for this work, or the work waits for something else. Idempotent."""
        if self._uncharged:
            self._uncharged = False
            self._line.charged(self._item, charges)

    def ended(self) -> None:
        """Give the place back."""
        self.charged()
        self._line.ended(self._item, self)


def _kept(places: int) -> int:
    """Places that work below the high lane may take: one in eight stays free, so that slow replies do not stop what is
    urgent."""
    return places - places // 8


def endpoint_class(key: str, share: str) -> str:
    """What may fail together: writes of one type, reads of one resource, one poll, one flow's commands.

    `key`: of a row (streams.core.desired.Wanted.row) or of a poll.
    """
    if key.startswith("\x01"):
        return share
    if key.startswith("\x02"):
        return f"read:{identity.split(key[1:])[0]}"
    if key.startswith("\x03"):
        return f"poll:{key[1:]}"
    parts = key.split(identity.SEPARATOR, 2)
    return sys.intern(f"write:{parts[1]}") if len(parts) > 1 else share  # one string, not one per row
