"""The mapper over a shard in memory: what comes in is out, fetched, dead or counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.kit.contract import Envelope
from connectors.kit.metrics import MAPPER_RECORDS, PIPELINE_BRAKED
from connectors.shopify.poller import ShopifyPoller
from schemas import headers, identity, topics
from schemas.entities import Channel, Completeness, EntityType, Op
from schemas.headers import Header
from schemas.identity import SourceKey
from streams.core import ledger
from streams.core.ledger import Book
from streams.runtime.links import StoredLink
from streams.runtime.raw import ACKNOWLEDGE_ONLY, micros
from streams.runtime.xref import MemoryXref
from tests.unit.mapper.shop import (
    ACCOUNT,
    CODEC,
    LEVEL,
    NOW,
    PRICE,
    PROFILE,
    SECOND,
    TOPIC,
    VARIANT,
    Bench,
    Raw,
    envelope,
    fetched,
    keys,
)

FETCH = topics.fetch("shopify")


def linked() -> MemoryXref:
    view = MemoryXref()
    view.add(SourceKey("acme", EntityType.VARIANT, "shop", "inventory_item:77"), StoredLink("acme|variant|A"))
    return view


def test_one_delivery_becomes_an_event_per_record() -> None:
    bench = Bench()
    bench.feed(envelope(VARIANT, PRICE))
    assert keys(bench.shard.outputs(topics.INBOUND)) == ["acme|variant|A", "acme|price|A~default~EUR"]
    ids = [Header.unpack(headers.find(one.headers)).event_id for one in bench.shard.outputs(topics.INBOUND)]
    assert len(set(ids)) == 2


def test_events_of_one_sku_go_to_the_partition_of_their_root() -> None:
    bench = Bench()
    bench.feed(envelope(VARIANT, PRICE))
    wanted = identity.golden_partition("acme|variant|A", PROFILE.shard)
    assert [one.partition for one in bench.shard.outputs(topics.INBOUND)] == [wanted, wanted]


def test_the_header_and_the_meta_of_an_event_agree() -> None:
    bench = Bench(xref=linked(), account=replace(ACCOUNT, clock_offset=2.5))
    bench.feed(envelope(VARIANT, LEVEL), fetched(PRICE), envelope({**PRICE, "op": "DELETE", "clock": NOW}))
    seen = set()
    for one, record in zip(bench.shard.outputs(topics.INBOUND), bench.decoded(topics.INBOUND), strict=True):
        facts, meta = Header.unpack(headers.find(one.headers)), record["meta"]
        seen.add((facts.op, facts.channel))
        assert meta["event_id"] == facts.event_id
        assert meta["version"] == {
            "clock": facts.version.clock,
            "rank": facts.version.rank,
            "sequence": facts.version.sequence,
            "mapping_revision": facts.version.mapping_revision,
            "fingerprint": facts.version.fingerprint,
        }
        assert micros(meta["corrected_time"]) == facts.corrected_time
        assert micros(meta["received_at"]) == facts.received_at
        assert identity.account_hash(meta["tenant"], meta["account"]) == facts.account
        assert (Op[meta["op"]], Completeness[meta["completeness"]]) == (facts.op, facts.completeness)
        assert Channel[meta["channel"]] is facts.channel
        assert one.key == meta["golden_key"].encode()
        assert meta["golden_key"].split("|")[1] == facts.type.value
    assert seen == {(Op.UPSERT, Channel.WEBHOOK), (Op.UPSERT, Channel.FETCH), (Op.DELETE, Channel.WEBHOOK)}


def test_corrected_time_is_the_source_time_less_the_accounts_offset() -> None:
    bench = Bench(account=replace(ACCOUNT, clock_offset=2.5))
    bench.feed(envelope({**VARIANT, "clock": NOW}))
    (record,) = bench.decoded(topics.INBOUND)
    assert micros(record["meta"]["source_time"]) - micros(record["meta"]["corrected_time"]) == 2_500_000


def test_a_stock_level_finds_its_sku_through_the_variant() -> None:
    bench = Bench(xref=linked())
    bench.feed(envelope(LEVEL))
    (record,) = bench.decoded(topics.INBOUND)
    assert record["meta"]["golden_key"] == "acme|inventory_level|A~main"
    assert record["sku"] == "A"
    assert record["location"] == "main"


def test_records_of_one_batch_see_the_links_of_the_ones_before() -> None:
    bench = Bench()
    bench.feed(envelope(VARIANT), envelope(LEVEL, delivery_id="d-2"))
    assert "acme|inventory_level|A~main" in keys(bench.shard.outputs(topics.INBOUND))
    assert bench.decoded(FETCH) == []


def test_a_link_holds_for_later_batches_before_the_replica_shows_it() -> None:
    bench = Bench()
    bench.feed(envelope(VARIANT))
    bench.feed(envelope(LEVEL, delivery_id="d-2"))
    assert bench.decoded(FETCH) == []


def test_within_one_delivery_the_order_of_records_does_not_matter_for_links() -> None:
    bench = Bench()
    bench.feed(envelope(LEVEL, VARIANT))
    assert sorted(keys(bench.shard.outputs(topics.INBOUND))) == ["acme|inventory_level|A~main", "acme|variant|A"]


def test_an_unlinked_record_is_read_at_its_source() -> None:
    bench = Bench()
    bench.feed(envelope(LEVEL))
    (request,) = bench.decoded(FETCH)
    assert (request["resource"], request["remote_id"], request["reason"]) == ("inventory_item", "77", "unlinked")
    assert request["cause"] == "d-1/inventory_level/77:5"
    assert bench.shard.outputs(topics.INBOUND) == []
    (emitted,) = bench.shard.outputs(FETCH)
    assert emitted.partition == identity.account_partition("acme", "shop", PROFILE.platform)


def test_what_a_read_could_not_link_is_a_dead_letter_and_not_read_again() -> None:
    bench = Bench()
    bench.feed(fetched(LEVEL))
    assert bench.reasons() == ["unlinkable"]
    assert bench.decoded(FETCH) == []


def test_a_record_without_any_link_is_a_dead_letter_beside_its_linked_siblings() -> None:
    bench = Bench()
    bench.feed(envelope({**VARIANT, "golden": "", "id": "12"}, PRICE))
    assert bench.reasons() == ["unlinkable"]
    assert keys(bench.shard.outputs(topics.INBOUND)) == ["acme|price|A~default~EUR"]


def test_a_deletion_of_what_was_never_linked_is_ignored() -> None:
    bench = Bench()
    orphan = {key: value for key, value in {**LEVEL, "op": "DELETE"}.items() if key != "fetch"}
    bench.feed(envelope(orphan))
    assert bench.reasons() == []
    assert _deliveries(bench)["ignored"] == 1


def test_a_deletion_fits_its_schema_although_it_carries_no_values() -> None:
    bench = Bench(xref=linked())
    gone = {"op": "DELETE", "clock": NOW}
    bench.feed(
        envelope({**VARIANT, **gone}, {**PRICE, **gone}, {**LEVEL, **gone}),
        envelope(
            {"type": "order", "id": "1", "golden": "shop~1", **gone},
            {"type": "product", "id": "1", "golden": "A", **gone},
            delivery_id="d-2",
        ),
    )
    records = bench.decoded(topics.INBOUND)
    assert {record["meta"]["op"] for record in records} == {"DELETE"}
    assert len(records) == 5
    assert [record["sku"] for record in records if "sku" in record] == ["A", "A", "A"]
    assert bench.shard.outputs(topics.XREF) == []


def test_a_hint_is_read_and_never_becomes_an_event() -> None:
    bench = Bench()
    bench.feed(envelope({**VARIANT, "completeness": "HINT", "fetch": ["inventory_item", "77"]}))
    assert [request["reason"] for request in bench.decoded(FETCH)] == ["hint"]
    assert bench.shard.outputs(topics.INBOUND) == []


def test_a_read_that_answers_with_a_hint_is_a_dead_letter() -> None:
    bench = Bench()
    bench.feed(fetched({**VARIANT, "completeness": "HINT", "fetch": ["inventory_item", "77"]}))
    assert bench.reasons() == ["unresolved_hint"]


def heard(seconds: float, number: int, **changes: Any) -> Envelope:
    """A webhook that came so many seconds after the first."""
    return envelope(VARIANT, delivery_id=f"d-{number}", received_at=NOW + round(seconds * SECOND), **changes)


def test_the_first_webhook_behind_a_long_silence_has_the_account_polled() -> None:
    bench = Bench(poller=ShopifyPoller())
    for number, seconds in enumerate([0, 899, 1000, 1901, 1902]):
        bench.feed(heard(seconds, number))
    (asked,) = bench.decoded(FETCH)
    assert (asked["resource"], asked["remote_id"], asked["reason"]) == ("*", "*", "silence")
    assert micros(asked["requested_at"]) == NOW + 1901 * SECOND
    assert bench.shard.outputs(FETCH)[0].partition == identity.account_partition("acme", "shop", PROFILE.platform)


def test_what_we_read_ourselves_breaks_no_silence() -> None:
    bench = Bench(poller=ShopifyPoller())
    bench.feed(heard(0, 0), heard(950, 1, channel=Channel.POLL), heard(1800, 2, channel=Channel.POLL))
    assert bench.decoded(FETCH) == []


def test_a_silence_of_an_account_that_is_not_polled_is_none_of_the_couriers_business() -> None:
    bench = Bench()
    bench.feed(heard(0, 0), heard(5000, 1))
    assert bench.decoded(FETCH) == []


def test_a_version_from_the_future_is_read_and_never_obeyed() -> None:
    bench = Bench()
    bench.feed(envelope({**VARIANT, "clock": NOW + 301 * SECOND, "fetch": ["product", "1"]}))
    assert bench.reasons() == ["version_from_future"]
    assert [request["reason"] for request in bench.decoded(FETCH)] == ["quarantined"]
    assert bench.shard.outputs(topics.INBOUND) == []


def test_a_version_within_the_allowed_skew_is_obeyed() -> None:
    bench = Bench()
    bench.feed(envelope({**VARIANT, "clock": NOW + 300 * SECOND}))
    assert len(bench.shard.outputs(topics.INBOUND)) == 1


def test_an_account_known_to_be_ahead_is_not_from_the_future() -> None:
    bench = Bench(account=replace(ACCOUNT, clock_offset=600.0))
    bench.feed(envelope({**VARIANT, "clock": NOW + 700 * SECOND}))
    assert len(bench.shard.outputs(topics.INBOUND)) == 1


def test_a_counting_clock_is_never_from_the_future_but_its_source_time_can_be() -> None:
    bench = Bench()
    counted = {**VARIANT, "clock": 1 << 62, "clock_id": "read_sequence", "source_time": NOW}
    bench.feed(envelope(counted), envelope({**counted, "source_time": NOW + 400 * SECOND}, delivery_id="d-2"))
    assert len(bench.shard.outputs(topics.INBOUND)) == 1
    assert bench.reasons() == ["version_from_future"]


def test_a_repeated_delivery_gives_equal_ids_and_no_second_link() -> None:
    bench = Bench()
    bench.feed(envelope(VARIANT), envelope(VARIANT))
    first, second = bench.shard.outputs(topics.INBOUND)
    assert first.headers == second.headers
    assert len(bench.shard.outputs(topics.XREF)) == 2  # the variant and the item it is known as, once


def test_a_remap_under_a_higher_revision_gives_new_ids_and_higher_versions() -> None:
    old, new = Bench(revision=1), Bench(revision=2)
    for bench in (old, new):
        bench.feed(envelope(VARIANT))
    before, after = (Header.unpack(headers.find(b.shard.outputs(topics.INBOUND)[0].headers)) for b in (old, new))
    assert before.event_id != after.event_id
    assert before.version < after.version


def test_new_aliases_are_announced_and_known_ones_are_not_taken_away() -> None:
    bench = Bench()
    bench.feed(
        envelope(VARIANT),
        envelope({**VARIANT, "aliases": {"product_id": "3"}}, delivery_id="d-2"),
        envelope({**VARIANT, "aliases": {}}, delivery_id="d-3"),
    )
    own = [record for record in bench.decoded(topics.XREF) if record["remote_id"] == "11"]
    assert [record["aliases"] for record in own] == [
        {"inventory_item_id": "77"},
        {"inventory_item_id": "77", "product_id": "3"},
    ]
    assert [record["link_revision"] for record in own] == [1, 1]


def test_a_changed_sku_moves_the_link_and_an_older_delivery_does_not_move_it_back() -> None:
    bench = Bench()
    moved = {**VARIANT, "golden": "B"}
    bench.feed(
        envelope(VARIANT),
        envelope(moved, delivery_id="d-2", received_at=NOW + 5),
        envelope(VARIANT, delivery_id="d-3", received_at=NOW + 3),
    )
    own = [record for record in bench.decoded(topics.XREF) if record["remote_id"] == "11"]
    assert [(record["golden_key"], record["link_revision"]) for record in own] == [
        ("acme|variant|A", 1),
        ("acme|variant|B", 2),
    ]


def test_links_stand_under_their_source_key() -> None:
    bench = Bench()
    bench.feed(envelope(VARIANT))
    for one, record in zip(bench.shard.outputs(topics.XREF), bench.decoded(topics.XREF), strict=True):
        assert one.key == f"acme|variant|shop|{record['remote_id']}".encode()
        assert one.partition == identity.partition(one.key, PROFILE.small)


@pytest.mark.parametrize("value", [None, b"", b"\x00\x00\x00\x00\x63rest", b'{"id": 1}', b"\x00"])
def test_what_cannot_be_decoded_is_kept_byte_for_byte(value: bytes | None) -> None:
    bench = Bench()
    bench.take(value)
    (letter,) = bench.decoded("dead-letters.v1")
    assert letter["original_value"] == value
    assert (letter["source_topic"], letter["source_offset"]) == (TOPIC, 0)
    assert letter["original_headers"] == [{"name": "ce_id", "value": b"d-1"}]


@pytest.mark.parametrize(("topic", "reason"), [("broken", "mapping_failed"), ("refused", "invalid"), ("nothing", None)])
def test_a_record_that_fails_does_not_stop_the_ones_behind_it(topic: str, reason: str | None) -> None:
    bench = Bench()
    bench.feed(envelope(topic=topic), envelope(VARIANT, delivery_id="d-2"))
    assert bench.reasons() == ([reason] if reason else [])
    assert len(bench.shard.outputs(topics.INBOUND)) == 1


def test_a_body_that_is_not_json_is_a_dead_letter() -> None:
    bench = Bench()
    bench.feed(envelope(body=b"\xff{"))
    assert bench.reasons() == ["mapping_failed"]


@pytest.mark.parametrize(
    "change",
    [
        {"clock": -1},
        {"clock": 1 << 63, "clock_id": "read_sequence", "source_time": NOW},
        {"id": ""},
        {"aliases": {"a": 1}},
        {"sku": 5},
    ],
)
def test_a_record_that_fits_no_schema_is_a_dead_letter_and_its_siblings_live(change: dict[str, object]) -> None:
    bench = Bench()
    bench.feed(envelope({**VARIANT, **change}, PRICE))
    assert bench.reasons() == ["invalid"]
    assert "acme|price|A~default~EUR" in keys(bench.shard.outputs(topics.INBOUND))
    assert not any(record["remote_id"] == "11" for record in bench.decoded(topics.XREF))


def test_two_records_with_one_id_are_not_mistaken_for_repeats() -> None:
    bench = Bench()
    bench.feed(envelope(PRICE, {**PRICE, "comparable": ["2"]}))
    assert bench.reasons() == ["invalid"]


def test_an_envelope_of_an_unknown_account_is_a_dead_letter() -> None:
    bench = Bench()
    bench.feed(envelope(VARIANT, account="gone"), account=replace(ACCOUNT, id="gone"))
    bench.feed(envelope(VARIANT, account=""), account=replace(ACCOUNT, id="", tenant=""))
    assert bench.reasons() == ["unknown_account", "unknown_account"]


def test_what_is_to_be_acknowledged_only_is_never_mapped() -> None:
    bench = Bench()
    bench.feed(envelope(VARIANT, headers={ACKNOWLEDGE_ONLY: "true"}))
    assert bench.shard.outputs(topics.INBOUND) == []
    assert _deliveries(bench)["ignored"] == 1


def test_every_delivery_is_counted_once_and_the_book_closes() -> None:
    bench = Bench()
    bench.feed(
        envelope(VARIANT, PRICE),
        envelope({**LEVEL, "via": ["variant", "inventory_item:9"]}, delivery_id="d-2"),
        envelope(topic="nothing", delivery_id="d-3"),
        envelope(topic="broken", delivery_id="d-4"),
        envelope({**VARIANT, "golden": "", "id": "12"}, PRICE, delivery_id="d-5"),
    )
    bench.take(b"junk")
    assert _deliveries(bench) == {
        "received": 5, "mapped": 1, "ignored": 1, "dead": 2, "awaiting": 1, "events_out": 3,
    }  # fmt: skip
    assert all(ledger.balance(entry.book, entry.counters) == 0 for entry in ledger.read(bench.shard.rows))
    assert len(bench.shard.outputs(topics.INBOUND)) == 3
    seen = {
        fate: bench.metrics.value(MAPPER_RECORDS, "shopify", fate) for fate in ("mapped", "ignored", "dead", "fetch")
    }
    assert seen == {"mapped": 1, "ignored": 1, "dead": 2, "fetch": 1}


def _deliveries(bench: Bench) -> ledger.Counters:
    return ledger.total(ledger.read(bench.shard.rows))[Book.DELIVERIES, "acme|shop"]


def test_every_dead_letter_of_one_record_has_its_own_id() -> None:
    bench = Bench()
    unencodable = {**VARIANT, "id": "12", "known_as": [], "sku": 5}
    bench.feed(envelope({**VARIANT, "golden": ""}, {**PRICE, "clock": -1}, unencodable))
    names = [letter["id"] for letter in bench.decoded("dead-letters.v1")]
    assert sorted(names) == [f"{TOPIC}-0-0/{index}" for index in range(3)]
    for one in bench.shard.outputs("dead-letters.v1"):
        assert one.key == b"shop|d-1"
        assert CODEC.decode(one.value or b"")["stage"] == "mapper"


def test_a_record_that_killed_the_process_is_a_dead_letter_without_being_looked_into() -> None:
    bench = Bench()
    raw = Raw(7, b"whatever is in here", key=b"k")
    assert bench.mapper.divert(bench.shard, TOPIC, raw, 2) is None
    bench.shard.flush()
    (letter,) = bench.decoded("dead-letters.v1")
    assert (letter["stage"], letter["reason"], letter["attempts"]) == ("mapper", "poison", 2)
    assert "died 2 times" in letter["detail"]
    assert (letter["source_topic"], letter["source_offset"]) == (TOPIC, 7)
    assert (letter["original_key"], letter["original_value"]) == (b"k", raw.value)
    counted = ledger.total(ledger.read(bench.shard.rows))[Book.DELIVERIES, "-"]
    assert (counted["received"], counted["dead"]) == (1, 1)
    assert ledger.balance(Book.DELIVERIES, counted) == 0


def test_a_flood_of_bad_records_brakes_their_account_alone_and_loses_none_of_them() -> None:
    bench = Bench()
    bad = {**VARIANT, "op": "NONSENSE"}
    bench.feed(*(envelope(bad, delivery_id=f"d-{n}") for n in range(100)))
    assert bench.metrics.value(PIPELINE_BRAKED, "mapper", "acme|shop") == 1
    assert len(bench.reasons()) == 100
    bench.take(b"not an envelope")
    assert bench.metrics.value(PIPELINE_BRAKED, "mapper", "-") == 0
