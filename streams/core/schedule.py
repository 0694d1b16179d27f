"""What to do next within one bucket: lanes with floors, fair shares within a lane, due times. Pure.

Lanes are served most urgent first, but a lane with a backlog always gets its floor of the cost served (normal 20 %,
bulk 10 %), so nothing starves and what a lane does not use, the others borrow. Within a lane, deficit round robin over
shares in units of cost. Every operation is O(log n) or better.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import count

from schemas.entities import Lane

FLOORS: Mapping[Lane, float] = {Lane.NORMAL: 0.2, Lane.BULK: 0.1}
AGE_AFTER = 300.0  # in seconds; bulk work that waited longer moves up to normal
_ROUNDING = 1e-9
_FIRST = next(iter(Lane))


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of work. `share`: whom it is fair to; `cost`: expected charge in the bucket's units; `due`: seconds."""

    key: str
    lane: Lane
    share: str
    cost: float = 1.0
    due: float = 0.0


@dataclass(slots=True, eq=False)
class _Entry:
    item: Item
    waiting_in: Lane | None = None
    alive: bool = True


@dataclass(slots=True)
class _LaneQueue:
    """Deficit round robin (Shreedhar and Varghese, 1995); the quantum is the highest cost seen, so a visit serves."""

    queues: dict[str, deque[_Entry]] = field(default_factory=dict)
    order: deque[str] = field(default_factory=deque)
    deficit: dict[str, float] = field(default_factory=dict)
    prices: Mapping[str, float] = field(default_factory=dict)
    quantum: float = 1.0
    visiting: bool = False

    def push(self, entry: _Entry) -> None:
        share = entry.item.share
        if share not in self.queues:
            self.queues[share] = deque()
            self.deficit[share] = 0.0
            self.order.append(share)
        self.queues[share].append(entry)
        self.quantum = max(self.quantum, self.cost(entry.item))

    def cost(self, item: Item) -> float:
        return self.prices.get(item.share, item.cost)

    def head(self) -> _Entry | None:
        while self.order:
            share = self.order[0]
            queue = self.queues[share]
            while queue and not queue[0].alive:
                queue.popleft()
            if not queue:
                self._forget(share)
            elif self._may_serve(share, self.cost(queue[0].item)):
                return queue[0]
            else:
                self.order.rotate(-1)
                self.visiting = False
        return None

    def pop(self, entry: _Entry) -> None:
        share = entry.item.share
        self.queues[share].popleft()
        self.deficit[share] -= self.cost(entry.item)

    def _may_serve(self, share: str, cost: float) -> bool:
        if not self.visiting:
            self.deficit[share] += self.quantum
            self.visiting = True
        return self.deficit[share] + _ROUNDING >= cost

    def _forget(self, share: str) -> None:
        self.order.popleft()
        del self.queues[share], self.deficit[share]
        self.visiting = False


class Schedule:
    """The work of one bucket. Time is an argument, in seconds, and never goes back."""

    def __init__(self, *, age_after: float = AGE_AFTER) -> None:
        self._age_after = age_after
        self._entries: dict[str, _Entry] = {}
        self._prices: dict[str, float] = {}
        self.spare = False
        self._lanes = {lane: _LaneQueue(prices=self._prices) for lane in Lane}
        self._credit = dict.fromkeys(FLOORS, 0.0)
        self._due: list[tuple[float, int, _Entry]] = []
        self._ageing: deque[tuple[float, _Entry]] = deque()
        self._sequence = count()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def put(self, item: Item) -> None:
        """Add work, or replace what waits under its key; with lane and share unchanged it keeps its place."""
        known = self._entries.get(item.key)
        if known is not None:
            if known.waiting_in is not None and (known.item.lane, known.item.share) == (item.lane, item.share):
                return
            known.alive = False
        entry = self._entries[item.key] = _Entry(item)
        heapq.heappush(self._due, (item.due, next(self._sequence), entry))

    def remove(self, key: str) -> None:
        """Forget work; unknown keys are no error."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            entry.alive = False

    def price(self, share: str, cost: float) -> None:
        """Work of this share costs so much from now on, what waits already included."""
        self._prices[share] = cost
        for queue in self._lanes.values():
            queue.quantum = max(queue.quantum, cost)

    def peek(self, now: float) -> Item | None:
        """What `take` would return now. `spare` says whether it is neither of the most urgent lane nor owed by a floor,
        so that it should leave something for what is."""
        self._admit(now)
        chosen = self._choose()
        return None if chosen is None else self._priced(chosen[1].item)

    def take(self, now: float) -> Item | None:
        """Remove and return the next work that is due, or None."""
        self._admit(now)
        chosen = self._choose()
        if chosen is None:
            return None
        lane, entry = chosen
        self._lanes[lane].pop(entry)
        item = self._priced(entry.item)
        self._charge(lane, item.cost)
        entry.alive = False
        del self._entries[item.key]
        return item

    def _priced(self, item: Item) -> Item:
        cost = self._prices.get(item.share, item.cost)
        return item if cost == item.cost else replace(item, cost=cost)

    def next_due(self) -> float | None:
        """When the earliest work that is not yet due becomes due; None when there is none."""
        while self._due and not self._due[0][2].alive:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def _admit(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            entry = heapq.heappop(self._due)[2]
            if entry.alive:
                self._enqueue(entry, entry.item.lane)
                if entry.item.lane is Lane.BULK:
                    self._ageing.append((now + self._age_after, entry))
        while self._ageing and (self._ageing[0][0] <= now or not self._ageing[0][1].alive):
            self._promote(self._ageing.popleft()[1])

    def _promote(self, entry: _Entry) -> None:
        """One lane up and never into the high lane: an old backlog must not stand before what is urgent now."""
        if not entry.alive:
            return
        entry.alive = False
        renewed = self._entries[entry.item.key] = _Entry(entry.item)
        self._enqueue(renewed, Lane.NORMAL)

    def _enqueue(self, entry: _Entry, lane: Lane) -> None:
        entry.waiting_in = lane
        self._lanes[lane].push(entry)

    def _choose(self) -> tuple[Lane, _Entry] | None:
        heads = {lane: head for lane, queue in self._lanes.items() if (head := queue.head()) is not None}
        for lane in self._credit:
            if lane not in heads:
                self._credit[lane] = 0.0
            elif self._credit[lane] + _ROUNDING >= self._lanes[lane].cost(heads[lane].item):
                self.spare = False
                return lane, heads[lane]
        chosen = next(iter(heads.items()), None)
        self.spare = chosen is not None and chosen[0] is not _FIRST
        return chosen

    def _charge(self, served: Lane, cost: float) -> None:
        for lane, floor in FLOORS.items():
            if self._lanes[lane].order:
                self._credit[lane] += floor * cost
        if served in self._credit:
            self._credit[served] = max(self._credit[served] - cost, 0.0)
