"""Records of the log as plain data: texts, numbers and lists, times as microseconds UTC. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WITHOUT_VALUES = {"meta", "extra"}


@dataclass(frozen=True, slots=True)
class Found:
    """A record of a topic and where it stands. `marks`: what its header says beside it."""

    topic: str
    partition: int
    offset: int
    record: Mapping[str, Any]
    marks: Mapping[str, bool] = field(default_factory=dict)


def main_values(record: Mapping[str, Any]) -> dict[str, str]:
    """The business fields of a canonical record that say something, as text."""
    return {
        name: _text(value)
        for name, value in record.items()
        if name not in _WITHOUT_VALUES and value not in (None, "", [])
    }


def _text(value: Any) -> str:
    if isinstance(value, Mapping) and "amount" in value and "currency" in value:
        tax = f" (tax {str(value.get('tax', 'UNKNOWN')).lower()})"
        return f"{_text(value['amount'])} {value['currency']}{tax}".replace("  ", " ")
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_text(one)}" for name, one in value.items() if one is not None)
    if isinstance(value, list | tuple):
        return "; ".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def micros(value: Any) -> int:
    """A decoded `timestamp-micros`, whole."""
    return value if isinstance(value, int) else (value - _EPOCH) // timedelta(microseconds=1)


def place(one: Found) -> dict[str, Any]:
    """Where it stands."""
    return {"topic": one.topic, "partition": one.partition, "offset": one.offset}


def decision(one: Found) -> dict[str, Any]:
    """Of decision.avsc: who won and by what; accounts only of those involved."""
    record = one.record
    copied = ("outcome", "rule", "because", "policy_revision", "golden_version", "event_account")
    return {
        "decided_at": micros(record["decided_at"]),
        **{name: record[name] for name in copied},
        "winner": record["winner"]["account"],
        "losers": [loser["account"] for loser in record["losers"]],
        "event_id": record["event_id"].hex(),
        "source_topic": record["source_topic"],
        "source_partition": record["source_partition"],
        "source_offset": record["source_offset"],
        "pushed_to": list(record["pushed_to"]),
        "groups": [group(each) for each in record.get("groups") or ()],
        "ambiguous": list(record.get("ambiguous") or ()),
        "stuck": list(record.get("stuck") or ()),
        "at": place(one),
    }


def group(record: Mapping[str, Any]) -> dict[str, Any]:
    """Of a field group in a decision: who gave its fields, and by which rule."""
    return {name: record[name] for name in ("group", "account", "rule", "because")}


def event(one: Found) -> dict[str, Any]:
    """Of `events`: what an account said and how it came."""
    meta = one.record["meta"]
    copied = ("account", "delivery_id", "source_time_text")
    return {
        "received_at": micros(meta["received_at"]),
        "corrected_time": micros(meta["corrected_time"]),
        **{name: meta[name] for name in copied},
        "op": meta["op"].lower(),
        "channel": meta["channel"].lower(),
        "event_id": meta["event_id"].hex(),
        "fingerprint": meta["version"]["fingerprint"].hex(),
        **one.marks,
        "at": place(one),
    }


def task(one: Found) -> dict[str, Any]:
    """Of push_task.avsc: who was asked to hold what."""
    record = one.record
    copied = ("account", "platform", "golden_version", "kind", "op", "flow", "lane")
    return {
        "wanted_at": micros(record["wanted_at"]),
        **{name: record[name] for name in copied},
        "fields": list(record["fields"]),
        "fingerprint": record["fingerprint"].hex(),
        "at": place(one),
    }


def call(one: Found) -> dict[str, Any]:
    """Of api_call.avsc: what was sent and what came of it."""
    record = one.record
    copied = (
        "account", "platform", "operation", "op_id", "method", "endpoint", "status", "outcome", "attempt",
        "latency_ms", "golden_version",
    )  # fmt: skip
    return {"sent_at": micros(record["at"]), **{name: record[name] for name in copied}, "at": place(one)}
