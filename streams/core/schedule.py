"""What to do next within one bucket: lanes with floors, fair shares within a lane, due times, hours, holds. Pure.

Lanes are served most urgent first, but a lane with a backlog always gets its floor of the cost served (normal 20 %,
bulk 10 %, which leaves 70 % to high), so nothing starves and what a lane does not use, the others borrow. As long as
high uses less than its 70 %, its work goes before the floors of others as well. Within a lane turns are fair by cost
(streams.core.fair). Work can be held back without hindering other work: an endpoint class whose breaker is open, a lane
or a flow outside its hours, bulk work while live work has not caught up. Every operation is O(log n) or better.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count, islice

from schemas.entities import Lane
from streams.core.fair import Fair, Node
from streams.core.lanes import Lanes

AGE_AFTER = 300.0  # in seconds; bulk work that waited longer moves up to normal
LEAD = 10.0  # requests of the most urgent lane that go before any floor of others after it used less than its own
_TOP = next(iter(Lane))
_ROUNDING = 1e-9
_BULK = "\x00bulk"  # the gate of bulk work that has not aged


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of work. `share`: whom it is fair to; `cost`: expected charge in the bucket's units; `due`: seconds;
    `group`: what it can be held with (an endpoint class); `owner`: the tenant or account, where several use one
    bucket: fairness is first between owners, then between an owner's shares."""

    key: str
    lane: Lane
    share: str
    cost: float = 1.0
    due: float = 0.0
    group: str = ""
    owner: str = ""


@dataclass(slots=True, eq=False)
class _Entry:
    item: Item
    waiting_in: Lane | None = None
    alive: bool = True


class Schedule:
    """The work of one bucket. Time is an argument, in seconds (UTC where there are hours), and never goes back.

    `lanes`: see streams.core.lanes; hours are kept to, however old the work is.
    """

    def __init__(self, lanes: Lanes | None = None, *, age_after: float = AGE_AFTER) -> None:
        lanes = lanes or Lanes()
        self._age_after = age_after
        self._floors = {lane: lanes.floors[lane] for lane in list(Lane)[1:] if lanes.floors.get(lane)}
        self._hours = dict(lanes.hours)
        self.spare = False
        self._prices: dict[str, float] = {}
        self._holds: dict[str, float] = {}
        self._held: dict[Node[_Entry], tuple[Lane, float]] = {}
        self._wake_at = math.inf
        self._now = -math.inf
        self._entries: dict[str, _Entry] = {}
        self._lanes = {lane: Fair[_Entry](_is_alive, self._gate(lane)) for lane in Lane}
        self._credit = dict.fromkeys(self._floors, 0.0)
        self._lead, self._most_lead = 0.0, LEAD  # cost the most urgent lane was entitled to and has not used
        self._due: list[tuple[float, int, _Entry]] = []
        self._ageing: deque[tuple[float, _Entry]] = deque()
        self._sequence = count()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def put(self, item: Item) -> None:
        """Add work, or replace what waits under its key; with lane, share and group unchanged it keeps its place."""
        known = self._entries.get(item.key)
        if known is not None:
            if known.waiting_in is not None and _place(known.item) == _place(item):
                return
            known.alive = False
        entry = self._entries[item.key] = _Entry(item)
        if item.due <= self._now and item.lane is not Lane.BULK:  # which ages from when it is looked at
            self._enqueue(entry, item.lane)
        else:
            heapq.heappush(self._due, (item.due, next(self._sequence), entry))

    def alike(self, item: Item, most: int) -> Iterator[str]:
        """Keys of work that waits where this item did, in order: due, of the same lane (aged or not), share, group and
        owner. At most so many. What was named may be removed meanwhile; nothing may be put or taken."""
        path = _path(item)
        queues = (fair.queued(path) for fair in self._lanes.values())
        return islice((entry.item.key for queue in queues for entry in queue), most)

    def remove(self, key: str) -> None:
        """Forget work; unknown keys are no error."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            entry.alive = False

    def price(self, share: str, cost: float) -> None:
        """All work of this share, whatever it was put with, is expected to cost so much."""
        self._prices[share] = cost

    def peek(self, now: float) -> Item | None:
        """What `take` would return now, at the price of its share. `spare` then says whether it is neither of the most
        urgent lane nor owed by a floor, so that it should leave something for what is."""
        self._admit(now)
        chosen = self._choose()
        return None if chosen is None else self._priced(chosen[2].item)

    def take(self, now: float) -> Item | None:
        """Remove and return the next work that is due, or None."""
        self._admit(now)
        chosen = self._choose()
        if chosen is None:
            return None
        lane, node, entry = chosen
        item = self._priced(entry.item)
        self._charge(lane, item.cost)
        self._lanes[lane].pop(node, item.cost)
        entry.alive = False
        del self._entries[item.key]
        return item

    def next_due(self) -> float | None:
        """When work that is not due, or held, can next be taken; None when there is none or only `release` can tell."""
        while self._due and not self._due[0][2].alive:
            heapq.heappop(self._due)
        at = min(self._due[0][0] if self._due else math.inf, self._wake_at)
        return at if math.isfinite(at) else None

    # -- holding back

    def hold(self, group: str, until: float) -> None:
        """Work of this group is not taken before `until` (inf: before `release`); other work goes on."""
        self._holds[group] = until

    def release(self, group: str) -> None:
        """Work of this group may be taken again."""
        if self._holds.pop(group, None) is not None:
            self._wake(lambda node, _: group in node.gates)

    @property
    def bulk_admitted(self) -> bool:
        """Whether bulk work is taken at all; while it is not, only what has aged is."""
        return _BULK not in self._holds

    @bulk_admitted.setter
    def bulk_admitted(self, admitted: bool) -> None:
        if admitted:
            self.release(_BULK)
        else:
            self.hold(_BULK, math.inf)

    def _gate(self, lane: Lane) -> Callable[[Node[_Entry]], bool]:
        def may_run(node: Node[_Entry]) -> bool:
            if not self._holds and not self._hours:
                return True
            opens = max(map(self._opens_at, node.gates))
            if opens <= self._now:
                return True
            self._held[node] = lane, opens
            self._wake_at = min(self._wake_at, opens)
            return False

        return may_run

    def _opens_at(self, gate: str) -> float:
        held = self._holds.get(gate, -math.inf)
        hours = self._hours.get(gate)
        return held if hours is None else max(held, hours.opens_at(self._now))

    def _wake(self, which: Callable[[Node[_Entry], float], bool]) -> None:
        for node, (lane, opens) in list(self._held.items()):
            if which(node, opens):
                del self._held[node]
                self._lanes[lane].wake(node)
        self._wake_at = min((opens for _, opens in self._held.values()), default=math.inf)

    # -- choosing

    def _admit(self, now: float) -> None:
        self._now = now
        if self._wake_at <= now:
            self._wake(lambda _, opens: opens <= now)
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
        item = entry.item
        entry.waiting_in = lane
        self._lanes[lane].push(_path(item), _gates(item.group, item.share, item.lane, lane is Lane.BULK), entry)

    def _choose(self) -> tuple[Lane, Node[_Entry], _Entry] | None:
        heads = {lane: head for lane, fair in self._lanes.items() if fair.waits and (head := fair.head()) is not None}
        self.spare = False
        if _TOP in heads and self._lead + _ROUNDING >= self._cost(heads[_TOP][1].item):
            return _TOP, *heads[_TOP]
        for lane in self._credit:
            if lane not in heads:
                self._credit[lane] = 0.0
            elif self._credit[lane] + _ROUNDING >= self._cost(heads[lane][1].item):
                return lane, *heads[lane]
        chosen = next(((lane, *head) for lane, head in heads.items()), None)
        self.spare = chosen is not None and chosen[0] is not _TOP
        return chosen

    def _cost(self, item: Item) -> float:
        return self._prices.get(item.share, item.cost)

    def _priced(self, item: Item) -> Item:
        cost = self._cost(item)
        return item if cost == item.cost else replace(item, cost=cost)

    def _charge(self, served: Lane, cost: float) -> None:
        for lane, floor in self._floors.items():
            if self._lanes[lane].waits:
                self._credit[lane] += floor * cost
        if served is _TOP:
            self._most_lead = LEAD * cost
            self._lead -= cost
        self._lead = max(0.0, min(self._most_lead, self._lead + (1.0 - sum(self._floors.values())) * cost))
        if served in self._credit:
            self._credit[served] = max(self._credit[served] - cost, 0.0)


def _is_alive(entry: _Entry) -> bool:
    return entry.alive


def _path(item: Item) -> tuple[str, ...]:
    return item.owner, item.share, item.lane + item.group


@lru_cache(maxsize=1024)
def _gates(group: str, share: str, lane: Lane, bulk: bool) -> tuple[str, ...]:
    return group, share, lane.value, *((_BULK,) if bulk else ())


def _place(item: Item) -> tuple[str, ...]:
    return item.lane, item.share, item.group, item.owner
