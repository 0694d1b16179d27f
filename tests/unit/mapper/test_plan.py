"""Ranks, versions and fingerprints of single records."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.kit import golden
from schemas.entities import EntityType, Op, Rank
from schemas.identity import SourceKey
from streams.mapper import records
from streams.mapper.overlay import Overlay
from streams.mapper.plan import plan
from streams.runtime.links import StoredLink
from streams.runtime.xref import MemoryXref
from tests.unit.mapper.shop import ACCOUNT, NOW, PRICE, SECOND, VARIANT, Shop, envelope, fetched, mapped


@pytest.mark.parametrize(
    ("age", "rank"), [(0, Rank.UNSETTLED_READ), (SECOND - 1, Rank.UNSETTLED_READ), (SECOND, Rank.SETTLED_READ)]
)
def test_a_read_is_settled_once_the_clock_has_moved_on(age: int, rank: Rank) -> None:
    assert records.rank(ACCOUNT, fetched(), mapped({**PRICE, "clock": NOW - age})) is rank


def test_a_webhook_ranks_as_a_push() -> None:
    assert records.rank(ACCOUNT, envelope(), mapped(PRICE)) is Rank.PUSH


def test_a_read_under_a_counting_clock_is_settled() -> None:
    assert (
        records.rank(ACCOUNT, fetched(), mapped({**PRICE, "clock": 1, "clock_id": "read_sequence"}))
        is Rank.SETTLED_READ
    )


def test_an_account_ahead_of_us_is_settled_on_our_clock() -> None:
    ahead = replace(ACCOUNT, clock_offset=5.0)
    assert records.rank(ahead, fetched(), mapped({**PRICE, "clock": NOW + 4 * SECOND})) is Rank.SETTLED_READ
    assert records.rank(ACCOUNT, fetched(), mapped({**PRICE, "clock": NOW + 4 * SECOND})) is Rank.UNSETTLED_READ


def test_equal_business_values_of_two_accounts_have_one_fingerprint() -> None:
    other = replace(ACCOUNT, id="other")
    first, second = (records.version(a, envelope(), mapped(PRICE), 1).fingerprint for a in (ACCOUNT, other))
    assert first == second
    assert len(first) == 8


def test_a_deletion_never_looks_like_an_upsert_without_values() -> None:
    assert golden.content_fingerprint(Op.DELETE, ()) != golden.content_fingerprint(Op.UPSERT, ())
    assert golden.content_fingerprint(Op.DELETE, ("1",)) == golden.content_fingerprint(Op.DELETE, ())


def test_values_do_not_run_into_one_another() -> None:
    assert golden.content_fingerprint(Op.UPSERT, ("ab", "c")) != golden.content_fingerprint(Op.UPSERT, ("a", "bc"))


def test_a_record_without_a_time_is_as_old_as_its_read() -> None:
    timeless = mapped({**PRICE, "clock": 3, "clock_id": "read_sequence", "source_time": 0})
    ahead = replace(ACCOUNT, clock_offset=5.0)
    assert records.times(ahead, fetched(read_started_at=NOW - 9), timeless) == (NOW - 9, NOW - 9)


def test_the_same_envelope_gives_the_same_plan() -> None:
    one, two = (plan(ACCOUNT, Shop(), envelope(VARIANT, PRICE), MemoryXref()) for _ in range(2))
    assert one == two


def test_an_envelope_without_a_delivery_id_is_refused() -> None:
    assert [t.reason for t in plan(ACCOUNT, Shop(), envelope(VARIANT, delivery_id=""), MemoryXref()).troubles] == [
        "invalid"
    ]


def test_planning_leaves_the_view_as_it_was() -> None:
    view = MemoryXref()
    plan(ACCOUNT, Shop(), envelope(VARIANT), view)
    assert len(view) == 0


def test_an_overlay_forgets_its_oldest_links_and_gives_way_to_newer_ones_below() -> None:
    base = MemoryXref()
    overlay = Overlay(base, capacity=2)
    a, b, c = (SourceKey("acme", EntityType.VARIANT, "shop", name) for name in "abc")
    for source in (a, b, c):
        overlay.add(source, StoredLink("acme|variant|OLD", linked_at=5))
    assert overlay.link(a) is None
    base.add(c, StoredLink("acme|variant|NEW", linked_at=6))
    assert overlay.golden("acme", EntityType.VARIANT, "shop", "c") == "acme|variant|NEW"
    assert overlay.golden("acme", EntityType.VARIANT, "shop", "b") == "acme|variant|OLD"


def test_a_record_of_another_clock_than_the_declared_one_is_a_dead_letter() -> None:
    declared = {EntityType.VARIANT: "sequence"}
    made = plan(ACCOUNT, Shop(), envelope(VARIANT), MemoryXref(), clocks=declared)
    assert [trouble.reason for trouble in made.troubles] == ["foreign_clock"]
    assert "'sequence'" in made.troubles[0].detail
    assert plan(ACCOUNT, Shop(), envelope(VARIANT), MemoryXref(), clocks={EntityType.PRICE: "x"}).troubles == []
