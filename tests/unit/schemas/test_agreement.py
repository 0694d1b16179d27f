from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from schemas.agreement import agreement
from schemas.codec import Codec
from schemas.entities import Channel, Completeness, Op, Rank
from schemas.headers import Header
from schemas.registry import MemorySchemas
from tests.unit.schemas.examples import CHANGED, RECEIVED, a_header, a_meta, a_price, micros


def test_header_and_meta_of_one_event_agree() -> None:
    assert agreement(a_header(), a_meta()) == []


def test_they_still_agree_after_both_went_over_the_wire() -> None:
    codec = Codec(MemorySchemas())
    decoded = codec.decode(codec.encode("price", a_price()))
    assert agreement(Header.unpack(a_header().pack()), decoded["meta"]) == []


def test_times_may_be_integers_of_microseconds() -> None:
    assert agreement(a_header(), a_meta(corrected_time=micros(CHANGED), received_at=micros(RECEIVED))) == []


@pytest.mark.parametrize(
    ("field", "value", "at"),
    [
        ("event_id", bytes(16), "event_id"),
        ("op", "DELETE", "op"),
        ("completeness", "FULL", "completeness"),
        ("channel", "WEBHOOK", "channel"),
        ("corrected_time", CHANGED + timedelta(microseconds=1), "corrected_time"),
        ("received_at", RECEIVED - timedelta(microseconds=1), "received_at"),
        ("tenant", "other", "account"),
        ("account", "shop-2", "account"),
        ("golden_key", "acme|order|SKU-1", "golden_key"),
        ("golden_key", "not a key", "golden_key"),
        ("source_key", "acme|order|shop-1|77", "source_key"),
        ("source_key", "acme|price|77", "source_key"),
    ],
)
def test_each_fact_that_differs_is_named(field: str, value: Any, at: str) -> None:
    (reason,) = agreement(a_header(), a_meta(**{field: value}))
    assert reason.startswith(f"{at}: ")


@pytest.mark.parametrize(
    ("part", "value"),
    [("clock", 1), ("rank", 0), ("sequence", 42), ("mapping_revision", 4), ("fingerprint", bytes(8))],
)
def test_each_part_of_the_version_that_differs_is_named(part: str, value: Any) -> None:
    version = a_meta()["version"] | {part: value}
    (reason,) = agreement(a_header(), a_meta(version=version))
    assert reason.startswith(f"version.{part}: ")


@pytest.mark.parametrize(
    ("schema", "members"),
    [
        ("op", {op.name for op in Op}),
        ("completeness", {completeness.name for completeness in Completeness}),
        ("channel", {channel.name for channel in Channel}),
    ],
)
def test_every_name_of_the_header_has_its_symbol_in_meta(schema: str, members: set[str]) -> None:
    meta = MemorySchemas().schema_of(MemorySchemas().id_of("price"))["fields"][0]["type"]
    symbols = next(field["type"]["symbols"] for field in meta["fields"] if field["name"] == schema)
    assert set(symbols) == members | {"UNKNOWN"}


def test_ranks_are_the_numbers_that_the_schema_documents() -> None:
    assert (Rank.SETTLED_READ, Rank.PUSH, Rank.UNSETTLED_READ) == (2, 1, 0)
