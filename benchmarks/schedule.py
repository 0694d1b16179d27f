"""CPU of one scheduling decision with 100,000 rows waiting: `python -m benchmarks.schedule [rows]`.

A decision is what the courier's loop does per piece of work: look at what comes next, ask the buckets, take it, and put
the row that follows it. Three lanes, 50 flows, 8 endpoint classes of which one is held, two buckets.
"""

from __future__ import annotations

import random
import sys
import time
from itertools import count, islice

from connectors.kit.buckets import Buckets
from connectors.kit.contract import Budget
from connectors.kit.gate import Outcome
from schemas.entities import Lane
from streams.core.schedule import Item, Schedule

DECISIONS = 50_000
HELD = "write:3"
NOW = 1_772_366_400.0


def item(number: int, rand: random.Random) -> Item:
    """A row with a lane, a flow, a class and a cost."""
    flow = rand.randrange(50)
    lane = rand.choices(list(Lane), (1, 3, 6))[0]
    return Item(f"acme|price|{number}", lane, f"set:{flow}", rand.choice((1.0, 10.0, 50.0)), 0.0, f"write:{flow % 8}")


def filled(rows: int, rand: random.Random) -> tuple[Schedule, float]:
    """A schedule of so many rows, and microseconds of CPU to put one."""
    schedule = Schedule()
    items = [item(number, rand) for number in range(rows)]
    began = time.process_time()
    for one in items:
        schedule.put(one)
    schedule.peek(NOW)
    return schedule, (time.process_time() - began) / rows * 1e6


def decide(schedule: Schedule, buckets: Buckets, rand: random.Random, first: int) -> float:
    """Microseconds of CPU per decision."""
    drawn = (item(number, rand) for number in count(first))
    fresh = list(islice((one for one in drawn if one.group != HELD), DECISIONS))
    schedule.hold(HELD, NOW + 1e6)
    began = time.process_time()
    for number, one in enumerate(fresh):
        now = NOW + number * 0.001
        head = schedule.peek(now)
        assert head is not None
        buckets.tightest(now, head.cost)
        schedule.take(now)
        buckets.start(now, head.cost)
        buckets.settle(now, head.cost, None, Outcome.UNKNOWN)
        schedule.put(one)
    return (time.process_time() - began) / DECISIONS * 1e6


def main(rows: int) -> None:
    """Print the figures."""
    rand = random.Random(1)
    schedule, put = filled(rows, rand)
    budget = Budget("rate", 1e6, 1e6, 1000, also={"day": Budget("window", 1e6, 86_400e6, 1000)})
    decision = decide(schedule, Buckets(budget), rand, rows)
    print(
        f"{rows} rows: {put:.1f} us to put one, {decision:.1f} us per decision (peek, two buckets, take, settle, put)"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
