"""W5: a price is edited in one shop; when does the other one hold it?

Receiver, mapper, resolver and couriers as processes, the shipped fake shops over HTTP, no faults and no latency of
theirs. People edit a few prices per second in the Shopify shop, one per SKU, at random distances; the webhook's arrival
at the receiver is the start, the PrestaShop shop's own journal the end. In between the courier reads the record there
and replaces it: two calls.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmarks.hops import Hops, Times
from benchmarks.measure import percentile
from schemas.registry import open_codec
from streams.stack import Endpoints
from streams.testing.merchant import BACK_OFFICE, SHOP, Faults, Merchant, Scale, sku
from streams.testing.truth import SECOND, edits
from streams.testing.verdict import Verdict

RATE = 4.0  # edits per second
WARM_UP = 20  # edits before, of SKUs of their own
PATIENCE = 120.0  # seconds until everybody must hold the truth
QUIET = Faults(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
MOMENTS = ("received", "raw", "inbound", "push", "read", "read_end", "write", "applied")
HOPS = {
    "received to raw": ("received", "raw"),
    "raw to inbound (mapper)": ("raw", "inbound"),
    "inbound to push (resolver)": ("inbound", "push"),
    "push to first call (courier)": ("push", "read"),
    "first call, the read": ("read", "read_end"),
    "read to write (intent)": ("read_end", "write"),
    "write to applied": ("write", "applied"),
}


def run(bootstrap: str, registry: str, changes: int, seed: int) -> dict[str, Any]:
    """One run of so many edits."""
    scale = Scale(
        skus=changes + WARM_UP,
        lateness=0.2,
        poll_interval=600.0,
        bucket=2000.0,
        restore_rate=1000.0,
        presta_rate=1000.0,
        presta_burst=1000.0,
        seed=seed,
        faults=QUIET,
    )
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        merchant = Merchant(Path(folder), Endpoints(bootstrap, registry), scale, f"w5{uuid4().hex[:8]}.")
        try:
            merchant.start()
            return _measured(merchant, changes, seed)
        finally:
            merchant.stop()


def _measured(merchant: Merchant, changes: int, seed: int) -> dict[str, Any]:
    shops = (SHOP, BACK_OFFICE)
    for name in shops:
        merchant.control(name, latency=0.0, jitter=0.0)
    verdict = Verdict(merchant, {name: merchant.state(name) for name in shops})
    chance = random.Random(seed)
    _edit(merchant, range(changes, changes + WARM_UP), chance)
    _settled(verdict, merchant, "what the shops held at the start")
    codec = open_codec(merchant.where.registry, merchant.directory / "schemas")
    before = merchant.cpu_seconds(), time.monotonic()
    with Hops({"bootstrap.servers": merchant.where.bootstrap}, merchant.prefix, codec) as hops:
        _edit(merchant, range(changes), chance)
        used, passed = merchant.cpu_seconds() - before[0], time.monotonic() - before[1]
        _settled(verdict, merchant, "the edits")
    report = verdict.report()
    verdict.close()
    times = _with_applied(hops.times, merchant)
    whole = {name: one for name, one in times.items() if all(moment in one for moment in MOMENTS)}
    passed_all = report.passed and len(whole) == changes
    told = {
        "workload": "W5",
        "changes": changes,
        "followed": len(whole),
        "seed": seed,
        "violations": [str(violation) for one in report.findings for violation in one.violations[:3]],
        "oracle": "pass" if passed_all else "fail",
    }
    measured = {**figures(list(whole.values())), "cpu_s_per_s": round(used / passed, 3)}
    return {**told, **measured} if passed_all else told


def _edit(merchant: Merchant, numbers: range, chance: random.Random) -> None:
    """One price of each SKU, at random distances."""
    for number in numbers:
        merchant.edit(SHOP, do="set_price", sku=sku(number), price=f"{20 + number % 50}.{number % 90 + 10}")
        time.sleep(chance.uniform(0.4, 1.6) / RATE)


def _settled(verdict: Verdict, merchant: Merchant, what: str) -> None:
    def meanwhile() -> None:
        merchant.tree.watch()
        time.sleep(0.05)

    if not verdict.settle(PATIENCE, meanwhile):
        raise TimeoutError(f"{what} is not everywhere after {PATIENCE:.0f} s; see {merchant.directory}/logs")


def _with_applied(times: Mapping[str, Times], merchant: Merchant) -> dict[str, Times]:
    """With the moment at which the shop that was written to accepted it."""
    accepted = {
        one.sku: one.at / SECOND
        for one in reversed(edits(BACK_OFFICE, merchant.journal(BACK_OFFICE)))
        if one.actor == "api" and one.kind == "price"
    }
    return {
        name: {**moments, **({"applied": accepted[name]} if name in accepted else {})}
        for name, moments in times.items()
    }


def figures(changes: Sequence[Times]) -> dict[str, Any]:
    """Milliseconds from the webhook's arrival to the acceptance by the other shop, and of each hop."""
    hops = {"received to applied": ("received", "applied"), **HOPS}
    spans = {name: [(one[end] - one[start]) * 1000 for one in changes] for name, (start, end) in hops.items()}
    whole = spans.pop("received to applied")
    return {
        "p50_ms": percentile(whole, 0.5),
        "p99_ms": percentile(whole, 0.99),
        "max_ms": percentile(whole, 1.0),
        "hops_p50_p99_ms": {name: [percentile(one, 0.5), percentile(one, 0.99)] for name, one in spans.items()},
    }
