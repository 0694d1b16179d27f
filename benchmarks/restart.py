"""restart: a courier starts over a million rows of desired state; when is its first call, and when do all shards work?

The rows are written to its changelog as the courier writes them (all of them wait), their links to xref, and its disk
is empty: all of it is read back. The clock runs from the start of the process.
"""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

from confluent_kafka import Producer

from benchmarks.couriers import DEADLINE, TENANT, Couriers, couriers, names, shard_of
from schemas import topics
from schemas.entities import Lane
from streams.core import courier_rows as rows
from streams.core.desired import Kind, Origin, Task, Wanted
from streams.testing import desk, plain

ACCOUNTS = 24


def run(bootstrap: str, registry: str, entities: int) -> dict[str, Any]:
    """One restart over about so many rows."""
    each = entities // ACCOUNTS
    with couriers(bootstrap, registry, names("shop", ACCOUNTS)) as running:
        _fill(running, each)
        for account in running.accounts:
            running.link(account, range(each))
            running.desk.flush()
        began = time.monotonic()
        running.start()
        running.wait(lambda: bool(running.journal()), "a first write is accepted")
        first = time.monotonic() - began
        running.wait(lambda: len(running.calls()) == ACCOUNTS and running.opened(), "every shard calls")
        every = time.monotonic() - began
        strangers = sum(
            not op_id.startswith(f"{account}|{TENANT}|price|SKU") for account, op_id, _ in running.journal()
        )
        used = running.used()
    return {
        "workload": "restart",
        "rows": each * ACCOUNTS,
        "accounts": ACCOUNTS,
        "not_asked_for": strangers,
        "first_call_s": round(first, 1),
        "every_account_called_s": round(every, 1),
        "cpu_s": round(used.cpu, 1),
        "rss_mib": round(used.rss_mib),
        "oracle": "fail" if strangers else "pass",
    }


def _fill(running: Couriers, each: int) -> None:
    """The rows of all accounts, as a courier that was killed leaves them."""
    producer: Any = Producer(
        {**running.kafka, "linger.ms": 20, "compression.type": "lz4", "enable.idempotence": True,
         "queue.buffering.max.messages": 2_000_000, "queue.buffering.max.kbytes": 1_000_000}
    )  # fmt: skip
    topic = running.prefix + topics.courier_changelog("shopify")
    for account in running.accounts:
        reference, value = rows.key(rows.TASK, f"{TENANT}|{account}", ""), _asked(running, account)
        for number in range(each):
            task = Task(_wanted(account, number, value))
            producer.produce(topic, rows.pack_task(task), reference + task.wanted.row.encode(), shard_of(account))
            if number % 5_000 == 0:
                producer.poll(0)
    if producer.flush(DEADLINE):
        raise RuntimeError("the broker does not take the rows")


def _wanted(account: str, number: int, value: bytes) -> Wanted:
    subject = str(desk.price(TENANT, f"SKU{number}"))
    now, origin = time.time_ns() // 1000, Origin(topics.push("shopify"), shard_of(account), number)
    fields = frozenset({"amount", "sku"})
    return Wanted(TENANT, account, Kind.SET, subject, 1, Lane.NORMAL, "desk", fields, bytes(8), value, now, origin)


def _asked(running: Couriers, account: str) -> bytes:
    """A push task as it was received; its record says a price."""
    golden, now = desk.price(TENANT, "SKU0"), time.time_ns() // 1000
    money = {"amount": Decimal(10), "currency": "EUR", "tax": "UNKNOWN"}
    fields = {"amount": money, "sku": "SKU0"}
    said = plain.Said(running.accounts[account], golden.type, golden.golden_id, fields, now, now, now, f"{golden}/1")
    task = {
        "tenant": TENANT, "account": account, "platform": "shopify", "type": golden.type.value,
        "golden_key": str(golden), "golden_version": 1, "kind": "set", "op": "upsert", "flow": "desk",
        "fields": sorted(fields), "lane": "normal", "fingerprint": bytes(8),
        "record": plain.event(running.codec, said)[1], "operation_id": None, "wanted_at": now, "origin_at": now,
    }  # fmt: skip
    return running.codec.encode("push_task", task)
