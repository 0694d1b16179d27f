"""W3: a quota used to the last point without a refusal, in real time, beside four libraries in the same run.

Two fake shops, each a process of its own: a Shopify that reports the level of its bucket of cost points, and a
PrestaShop behind a host's limit that reports nothing. Every contender delivers the same writes through the same flows
and HTTP client to both at once: a backlog that is never used up, and urgent writes at a tenth of the quota. Three
scenarios: steady; a rival that nobody tells of takes half of the refill in the second third; the quota is halved in the
second third. Figures are the shops' own; the oracle wants every accepted write to be one that was offered, once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from benchmarks.delivery.contenders import CONTENDERS, Contender, Maker
from benchmarks.delivery.figures import Offered, Quota, available, faults, figures
from benchmarks.delivery.shops import KINDS, Reading, Shop, running
from benchmarks.delivery.work import Work
from schemas.entities import Lane

SECONDS = 24
URGENT = 0.1  # of the quota
SCENARIOS = {"steady": (1.0, 0.0), "hidden rival": (1.0, 0.5), "quota halved": (0.5, 0.0)}  # shares of the rate
TARGETS = {"utilisation": 0.98, "refused": 0.0005, "waste": 0.01}
_COLUMNS = ("utilisation", "refused", "waste", "high p50", "high p99", "bulk p99", "writes", "CPU ms/call")


@dataclass
class Side:
    """One shop and its contender in one cell."""

    shop: Shop
    work: Work
    contender: Contender
    offered: dict[str, Offered] = field(default_factory=dict)
    quotas: list[Quota] = field(default_factory=list)
    before: Reading | None = None

    def offer(self, lane: Lane, count: int) -> None:
        """So many more writes, from now on."""
        pieces = list(self.work.many(lane, count))
        at = time.time_ns() // 1000
        self.offered |= {piece.op_id: Offered(piece, at) for piece in pieces}
        self.contender.offer(pieces)

    async def quota(self, started: float, rate: float, rival: float) -> None:
        """From now on these shares of the shop's rate."""
        full = self.shop.kind.rate
        await asyncio.to_thread(self.shop.change, **{self.shop.kind.rate_option: full * rate, "rival": full * rival})
        self.quotas.append(Quota(time.monotonic() - started, full * rate, full * rival))


def run(seconds: int, only: Sequence[str] = ()) -> dict[str, Any]:
    """Every contender in every scenario. `only`: these contenders."""
    cells: list[dict[str, Any]] = []
    for scenario in SCENARIOS:
        for name in only or CONTENDERS:
            cells.append(cell(name, CONTENDERS[name], scenario, seconds))
            print(_row(cells[-1]), flush=True)
    wrong = [fault for cell in cells for fault in cell.pop("faults")]
    print(f"\n{table(cells)}\n")
    return {
        "workload": "W3", "seconds": seconds, "cells": cells, "missed": missed(cells), "faults": wrong[:20],
        "libraries": {name: version(name) for name in CONTENDERS if name != "sluice"},
        "oracle": "fail" if wrong else "pass",
    }  # fmt: skip


def cell(name: str, maker: Maker, scenario: str, seconds: int) -> dict[str, Any]:
    with ExitStack() as stack:
        sides = []
        for kind in KINDS:
            writes = round(kind.rate / kind.write_cost * (seconds * (1.1 + URGENT) + 2))
            shop = stack.enter_context(running(kind, writes))
            sides.append((shop, Work(shop)))
        return {"contender": name, "scenario": scenario, **asyncio.run(_measured(sides, maker, scenario, seconds))}


async def _measured(shops: list[tuple[Shop, Work]], maker: Maker, scenario: str, seconds: int) -> dict[str, Any]:
    sides = [Side(shop, work, maker(shop, work)) for shop, work in shops]
    for side in sides:
        side.offer(Lane.BULK, round(side.shop.kind.rate / side.shop.kind.write_cost * (seconds * 1.1 + 1)))
    for side in sides:
        side.before = await asyncio.to_thread(side.shop.read)
    started, cpu = time.monotonic(), time.process_time()
    tasks = [asyncio.create_task(side.contender.work()) for side in sides]
    tasks += [asyncio.create_task(_urgent(side)) for side in sides]
    tasks.append(asyncio.create_task(_quotas(sides, started, seconds, *SCENARIOS[scenario])))
    done, _ = await asyncio.wait(tasks[:-1], timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
    for task in done:
        task.result()
    after = [(await asyncio.to_thread(side.shop.read), time.monotonic() - started) for side in sides]
    cpu = time.process_time() - cpu
    journals = [await asyncio.to_thread(side.shop.journal) for side in sides]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    found: dict[str, Any] = {"faults": [], "shops": {}}
    for side, (reading, end), journal in zip(sides, after, journals, strict=True):
        assert side.before is not None
        spendable = available(side.shop.kind, side.before, reading, side.quotas, end)
        found["shops"][side.shop.kind.platform] = figures(side.before, reading, spendable, side.offered, journal)
        found["faults"] += faults(side.offered, journal)
    calls = sum(one["calls"] for one in found["shops"].values())
    return {**found, "cpu_ms_per_call": round(cpu / max(1, calls) * 1000, 2)}


async def _quotas(sides: Sequence[Side], started: float, seconds: int, rate: float, rival: float) -> None:
    """The whole quota, then the scenario's, then the whole again."""
    for share, taken in ((1.0, 0.0), (rate, rival), (1.0, 0.0)):
        await asyncio.gather(*(side.quota(started, share, taken) for side in sides))
        await asyncio.sleep(seconds / 3)


async def _urgent(side: Side) -> None:
    """A tenth of the quota, evenly, as long as there are SKUs."""
    kind = side.shop.kind
    with suppress(StopIteration, RuntimeError):
        while True:
            await asyncio.sleep(kind.write_cost / (kind.rate * URGENT))
            side.offer(Lane.HIGH, 1)


def missed(cells: Sequence[dict[str, Any]]) -> list[str]:
    """Where Sluice did not reach its targets."""
    return [
        f"{cell['scenario']}, {shop}: {name} {one[name]}"
        for cell in cells
        if cell["contender"] == "sluice"
        for shop, one in cell["shops"].items()
        for name, target in TARGETS.items()
        if (one[name] < target if name == "utilisation" else one[name] > target)
    ]


def table(cells: Sequence[dict[str, Any]]) -> str:
    """Markdown, one line per scenario, shop and contender."""
    head = ["scenario", "shop", "contender", *_COLUMNS]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for shop in (kind.platform for kind in KINDS):
        for cell in cells:
            row = [cell["scenario"], shop, cell["contender"], *_values(cell["shops"][shop], cell)]
            lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def _row(cell: dict[str, Any]) -> str:
    parts = [f"{cell['scenario']:<13} {cell['contender']:<15}"]
    for shop, one in cell["shops"].items():
        said = zip(_COLUMNS, _values(one, cell), strict=True)
        parts.append(f"{shop}: " + ", ".join(f"{name} {value}" for name, value in said))
    return "\n  ".join(parts)


def _values(one: dict[str, Any], cell: dict[str, Any]) -> list[str]:
    waits = [("-" if one[name] is None else f"{one[name]:.0f} ms") for name in ("high_p50_ms", "high_p99_ms")]
    waits.append("-" if one["bulk_p99_ms"] is None else f"{one['bulk_p99_ms'] / 1000:.1f} s")
    shares = [f"{one['utilisation']:.1%}", f"{one['refused']:.2%}", f"{one['waste']:.2%}"]
    return [*shares, *waits, str(one["high_writes"] + one["bulk_writes"]), f"{cell['cpu_ms_per_call']:.1f}"]
