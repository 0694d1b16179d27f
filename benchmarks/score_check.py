"""Whether the scoring simulator tells the truth: the same courier, quota and rival in virtual and in real time.

Real time is Sluice's cells of W3: the fake Shopify, whose level shows the rival, and the fake PrestaShop, where nothing
but refusals does. A modelled API gets the same quota, burst, replies and demand.
"""

from __future__ import annotations

from typing import Any

from benchmarks import w3
from benchmarks.delivery.contenders import CONTENDERS
from benchmarks.delivery.shops import JITTER, KINDS, LATENCY, SLACK, Kind
from connectors.kit.contract import Budget
from schemas.entities import Lane
from streams.testing.score.api import Api, Dialect, Shape
from streams.testing.score.bucket import Quota, Rival
from streams.testing.score.figures import Focus, figures
from streams.testing.score.load import Stream
from streams.testing.score.world import Case
from streams.testing.score.world import run as simulate

SECONDS = 30
SCENARIOS = {"steady": 0.0, "hidden rival": 0.5}  # of W3, and the rival's share
TOLERATED = {"utilisation": 0.02, "refused": 0.005}  # by which the two may differ


def run(seconds: int, seed: int) -> dict[str, Any]:
    """Each scenario both ways. What differs by more than TOLERATED is `missed`; the oracle is W3's."""
    rows: list[dict[str, Any]] = []
    faults: list[str] = []
    for scenario, rival in SCENARIOS.items():
        real = w3.cell("sluice", CONTENDERS["sluice"], scenario, seconds)
        faults += real["faults"]
        for kind in KINDS:
            measured = {name: real["shops"][kind.platform][name] for name in TOLERATED}
            rows.append({"scenario": scenario, "shop": kind.platform, "real": measured})
            rows[-1]["simulated"] = simulated(kind, rival, seconds, seed)
            print(_line(rows[-1]), flush=True)
    return {
        "workload": "score-check", "seconds": seconds, "seed": seed, "rows": rows, "missed": missed(rows),
        "faults": faults[:20], "oracle": "fail" if faults else "pass",
    }  # fmt: skip


def case(kind: Kind, rival: float, seconds: int) -> Case:
    """What the shop and its demand are in the model. A PrestaShop write is a read and a write of one unit each."""
    told = kind.platform == "shopify"
    each = kind.write_cost if told else 1.0
    calls = kind.rate / each
    api = Api(
        (Quota(kind.rate, kind.rate * SLACK),),
        (Rival(kind.rate * rival, seconds / 3, seconds * 2 / 3),) if rival else (),
        dialect=Dialect.THROTTLED if told else Dialect.SILENT,
        rtt=(LATENCY, LATENCY + JITTER),
    )
    high = Stream("price", Lane.HIGH, rate=calls * w3.URGENT)
    backlog = Stream("stock", Lane.BULK, backlog=round(calls * (seconds * 1.1 + 1)))
    burst = kind.rate * SLACK if told else kind.rate
    budget = Budget("level" if told else "rate", kind.rate, burst, 32 if told else 16)
    return Case((high, backlog), float(seconds), api, budget, {"write": Shape(each, each, each)})


def simulated(kind: Kind, rival: float, seconds: int, seed: int) -> dict[str, float]:
    """The simulator's figures, by W3's names."""
    found = figures(simulate(case(kind, rival, seconds), seed), Focus((0.0, float(seconds))))
    assert found.utilisation is not None
    return {"utilisation": round(found.utilisation, 4), "refused": round(found.throttled, 5)}


def missed(rows: list[dict[str, Any]]) -> list[str]:
    """Where the two differ by more than is tolerated."""
    return [
        f"{row['scenario']}, {row['shop']}: {name} {row['real'][name]} in real time, {row['simulated'][name]} simulated"
        for row in rows
        for name, most in TOLERATED.items()
        if abs(row["real"][name] - row["simulated"][name]) > most
    ]


def _line(row: dict[str, Any]) -> str:
    said = (f"{name} {row['real'][name]:.2%} real, {row['simulated'][name]:.2%} simulated" for name in TOLERATED)
    return f"{row['scenario']:<13} {row['shop']:<11} {'; '.join(said)}"
