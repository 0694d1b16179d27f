"""The packed header and the record's `meta` say the same twice, for readers of either; this finds where they do not.

Pure. For contract tests of mappings and for whoever suspects a producer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.headers import Header
from schemas.identity import GoldenKey, InvalidKey, SourceKey, account_hash

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def agreement(header: Header, meta: Mapping[str, Any]) -> list[str]:
    """One sentence per fact on which the two differ, starting with the field's path in `meta`; empty when they agree.

    `meta` as it goes into the codec or comes out of it: times are aware datetimes or integer microseconds.
    """
    version, told = header.version, meta["version"]
    facts: list[tuple[str, Any, Any]] = [
        ("event_id", header.event_id, meta["event_id"]),
        ("op", header.op.name, meta["op"]),
        ("completeness", header.completeness.name, meta["completeness"]),
        ("channel", header.channel.name, meta["channel"]),
        ("corrected_time", header.corrected_time, _micros(meta["corrected_time"])),
        ("received_at", header.received_at, _micros(meta["received_at"])),
        ("account", header.account, account_hash(meta["tenant"], meta["account"])),
        ("golden_key", header.type.value, _type_of_golden(meta["golden_key"])),
        ("source_key", header.type.value, _type_of_source(meta["source_key"])),
        ("version.clock", version.clock, told["clock"]),
        ("version.rank", int(version.rank), told["rank"]),
        ("version.sequence", version.sequence, told["sequence"]),
        ("version.mapping_revision", version.mapping_revision, told["mapping_revision"]),
        ("version.fingerprint", version.fingerprint, told["fingerprint"]),
    ]
    return [f"{name}: the header says {said!r}, meta says {wrote!r}" for name, said, wrote in facts if said != wrote]


def _micros(time: datetime | int) -> int:
    return time if isinstance(time, int) else (time - EPOCH) // timedelta(microseconds=1)


def _type_of_golden(key: str) -> str:
    try:
        return GoldenKey.parse(key).type.value
    except InvalidKey as error:
        return str(error)


def _type_of_source(key: str) -> str:
    try:
        return SourceKey.parse(key).type.value
    except InvalidKey as error:
        return str(error)
