"""A price two shops fight over, as the topics tell it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from connectors.kit.contract import Account
from schemas.entities import EntityType, Op, Rank
from schemas.headers import Version
from schemas.identity import account_hash
from streams.core.entity import Contribution, Entity
from streams.core.policy import Policy, PolicyKind, Rules
from streams.runtime.config import Config
from streams.runtime.explain.facts import Known
from streams.runtime.explain.records import Found

KEY = "acme|price|SKU-1~default~EUR"
NOW = 1_772_366_400_000_000  # 2026-03-01 12:00
SECOND = 1_000_000
SHOP, PRESTA = account_hash("acme", "shop"), account_hash("acme", "presta")
NEW, OLD = b"\x01" * 8, b"\x02" * 8


def said(account: bytes, at: int, content: bytes, rank: Rank = Rank.PUSH, **changes: Any) -> Contribution:
    version = Version(at, rank, 41, 3, content).pack()
    return Contribution(account, version, at, Op.UPSERT)._replace(**changes)


def row(winner: Contribution, *others: Contribution) -> Entity:
    content = bytes(8) if winner.op is Op.DELETE else winner.fingerprint
    return Entity(4, winner.account, content, tuple(sorted((winner, *others), key=lambda c: c.account)))


def config(policy: Policy | None = None, revision: int = 2, shop: int = 10, presta: int = 20) -> Config:
    accounts = {
        ("acme", "shop"): Account("acme", "shop", "shopify", "http://s", priority=shop),
        ("acme", "presta"): Account("acme", "presta", "prestashop", "http://p", priority=presta),
    }
    policies = {EntityType.PRICE: policy or Policy(PolicyKind.LWW)}
    return Config(accounts, Rules(revision=revision, policies=policies))


def decided(offset: int, **changes: Any) -> Found:
    record = {
        "decided_at": NOW + offset, "outcome": "won", "rule": "lww", "because": "corrected_time", "policy_revision": 2,
        "golden_version": 4, "event_account": "shop", "winner": {"account": "shop"}, "losers": [{"account": "presta"}],
        "event_id": b"\x07" * 16, "source_topic": "inbound.v1", "source_partition": 2, "source_offset": 100 + offset,
        "pushed_to": ["presta"],
    }  # fmt: skip
    return Found("decisions.v1", 2, offset, record | changes)


def asked(offset: int) -> Found:
    record = {
        "wanted_at": NOW + offset, "account": "presta", "platform": "prestashop", "golden_version": 4, "kind": "set",
        "op": "upsert", "flow": "prices", "lane": "normal", "fields": ["amount"], "fingerprint": NEW,
    }  # fmt: skip
    return Found("push.prestashop.v1", 1, offset, record)


def called(offset: int, status: int = 200, outcome: str = "success") -> Found:
    record = {
        "at": NOW + offset, "account": "presta", "platform": "prestashop", "operation": "write_product",
        "op_id": f"presta|{KEY}|4", "method": "PUT", "endpoint": "/api/products/{id}", "status": status,
        "outcome": outcome, "attempt": 2, "latency_ms": 23.7, "golden_version": 4,
    }  # fmt: skip
    return Found("calls.v1", 3, offset, record)


STATE = {
    "meta": {"clock_id": "updated_at"},
    "sku": "SKU-1",
    "amount": {"amount": Decimal("12.500000"), "currency": "EUR", "tax": "INCLUDED"},
    "compare_at": None,
    "vendor": "",
    "extra": {"vendor": "x"},
}


def fought_over(**changes: Any) -> Known:
    """The shop's edit came 3.5 s after the back office's and was pushed there."""
    winner = said(SHOP, NOW, NEW, Rank.SETTLED_READ)
    loser = said(PRESTA, NOW - 3_500_000, OLD, asked=((NEW, NOW),))
    known = Known(row(winner, loser), STATE, [decided(1)], [asked(1)], [called(1)])
    return replace(known, **changes)


def version(at: int, content: bytes) -> dict[str, Any]:
    return {"clock": at, "rank": 1, "sequence": 41, "mapping_revision": 3, "fingerprint": content}


def held_then(
    account: str, at: int, content: bytes, corrected: int | None = None, op: str = "upsert"
) -> dict[str, Any]:
    """An account in a decision."""
    time = at if corrected is None else corrected
    return {"account": account, "op": op, "version": version(at, content), "corrected_time": time, "event_id": b""}


def told(offset: int, account: str, at: int, content: bytes, op: str = "UPSERT", **marks: bool) -> Found:
    """An event."""
    meta = {
        "account": account, "tenant": "acme", "delivery_id": f"d-{offset}", "channel": "WEBHOOK", "op": op,
        "event_id": bytes([offset]) * 16, "received_at": at + 7, "corrected_time": at, "source_time_text": "",
        "version": version(at, content),
    }  # fmt: skip
    amount = {"amount": Decimal(offset), "currency": "EUR", "tax": "INCLUDED"}
    return Found("events.price.v1", 2, offset, {"meta": meta, "sku": "SKU-1", "amount": amount}, marks)


GROUPS = [
    {"group": "*", "account": "shop", "rule": "lww", "because": "corrected_time"},
    {"group": "prices", "account": "presta", "rule": "owner", "because": "owner"},
]
