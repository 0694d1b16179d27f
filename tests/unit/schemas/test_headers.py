from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from schemas import headers
from schemas.entities import Channel, Completeness, EntityType, Op, Rank
from schemas.headers import EventFacts, Header, InvalidHeader, Version
from tests.unit.schemas.examples import EVENT_ID, a_header


def test_a_header_comes_back_as_it_was_packed() -> None:
    assert Header.unpack(a_header().pack()) == a_header()


def test_the_id_and_the_version_stand_where_the_hot_path_reads_them() -> None:
    data = a_header().pack()
    assert data[:16] == a_header().event_id
    assert data[16:45] == a_header().version.pack()
    assert len(replace(a_header(), traceparent="").pack()) == headers.FIXED_SIZE


@pytest.mark.parametrize("channel", Channel)
@pytest.mark.parametrize("completeness", Completeness)
def test_all_flags_fit_beside_each_other(channel: Channel, completeness: Completeness) -> None:
    header = replace(a_header(), channel=channel, completeness=completeness)
    assert Header.unpack(header.pack()) == header


@pytest.mark.parametrize("kind", EntityType)
@pytest.mark.parametrize("op", Op)
def test_every_type_and_op_has_its_byte(kind: EntityType, op: Op) -> None:
    header = replace(a_header(), type=kind, op=op)
    assert Header.unpack(header.pack()) == header


def _with(offset: int, byte: int) -> bytes:
    data = bytearray(a_header().pack())
    data[offset] = byte
    return bytes(data)


MALFORMED = {
    "empty": b"",
    "too short": a_header().pack()[: headers.FIXED_SIZE - 1],
    "an unknown format": _with(69, 2),
    "an unknown type": _with(70, 99),
    "an unknown op": _with(71, 0),
    "an unknown completeness": _with(72, 3),
    "an unknown channel": _with(72, 7 << 2),
    "an unknown rank": _with(24, 3),
    "a trace context that is no text": a_header().pack() + b"\xff",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidHeader):
        Header.unpack(data)


@pytest.mark.parametrize(
    "fault",
    [
        {"event_id": b"short"},
        {"event_id": bytes(17)},
        {"account": bytes(7)},
        {"corrected_time": -1},
        {"received_at": 1 << 64},
        {"traceparent": "\ud800"},
    ],
)
def test_a_header_that_could_not_come_back_is_not_packed(fault: dict[str, Any]) -> None:
    with pytest.raises(InvalidHeader):
        replace(a_header(), **fault).pack()


@pytest.mark.parametrize(
    "fault", [{"clock": -1}, {"clock": 1 << 64}, {"mapping_revision": 1 << 32}, {"fingerprint": b""}]
)
def test_a_version_that_could_not_come_back_is_not_packed(fault: dict[str, Any]) -> None:
    with pytest.raises(InvalidHeader):
        replace(a_header().version, **fault).pack()


@pytest.mark.parametrize("data", [b"", bytes(28), bytes(30), bytes(8) + b"\x09" + bytes(20)])
def test_bytes_that_are_no_version_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidHeader):
        Version.unpack(data)


def test_a_settled_read_beats_a_push_of_the_same_clock_and_a_later_clock_beats_both() -> None:
    push = Version(5, Rank.PUSH, 9, 9, bytes(8))
    read = Version(5, Rank.SETTLED_READ, 0, 0, bytes(8))
    later = Version(6, Rank.UNSETTLED_READ, 0, 0, bytes(8))
    assert push < read < later
    assert push.pack() < read.pack() < later.pack()


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("unchanged", [False, True])
def test_event_facts_come_back_as_they_were_packed(late: bool, unchanged: bool) -> None:
    facts = EventFacts(1 << 40, EVENT_ID, late, unchanged)
    assert len(facts.pack()) == 26
    assert EventFacts.unpack(facts.pack()) == facts


@pytest.mark.parametrize("data", [b"", bytes(26), bytes(25), a_header().pack()])
def test_bytes_that_are_no_event_facts_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidHeader):
        EventFacts.unpack(data)


@pytest.mark.parametrize("facts", [EventFacts(-1, EVENT_ID, late=False), EventFacts(1, b"", late=False)])
def test_event_facts_that_could_not_come_back_are_not_packed(facts: EventFacts) -> None:
    with pytest.raises(InvalidHeader):
        facts.pack()


def test_the_header_is_found_among_others() -> None:
    assert headers.find([("content-type", b"x"), (headers.NAME, b"facts")]) == b"facts"


@pytest.mark.parametrize("given", [None, [], [("other", b"x")], [(headers.NAME, None)]])
def test_a_record_without_the_header_is_refused(given: list[tuple[str, bytes | None]] | None) -> None:
    with pytest.raises(InvalidHeader):
        headers.find(given)


def _cloud_event() -> dict[str, bytes]:
    return dict(
        headers.cloud_event(
            id="delivery-9/price/77",
            source="/acme/shop-1",
            type="com.shopify.products/update",
            time="2026-03-01T12:30:15.123456Z",
            subject="gid://shopify/Product/77",
            schema="https://example.org/schemas/raw_envelope",
        )
    )


def test_a_cloud_event_has_the_required_attributes_of_the_kafka_binding() -> None:
    """Source: CloudEvents 1.0.2 "REQUIRED attributes" and Kafka Protocol Binding 1.0.2, 3.2 (binary mode)."""
    found = _cloud_event()
    assert found["ce_specversion"] == b"1.0"
    assert found["ce_id"] == b"delivery-9/price/77"
    assert found["ce_source"] == b"/acme/shop-1"
    assert found["ce_type"] == b"com.shopify.products/update"
    assert found["content-type"] == b"application/avro"


def test_a_cloud_event_says_when_what_and_in_which_schema() -> None:
    found = _cloud_event()
    assert found["ce_time"] == b"2026-03-01T12:30:15.123456Z"
    assert found["ce_subject"] == b"gid://shopify/Product/77"
    assert found["ce_dataschema"] == b"https://example.org/schemas/raw_envelope"


def test_cloud_event_header_names_are_those_the_binding_allows() -> None:
    attributes = [name for name in _cloud_event() if name != "content-type"]
    assert all(re.fullmatch(r"ce_[a-z0-9]{1,20}", name) for name in attributes)


def test_cloud_event_headers_are_those_the_catalogue_promises_for_raw_topics() -> None:
    from schemas.topics import CATALOGUE, raw

    assert tuple(_cloud_event()) == CATALOGUE[raw("shopify")].headers
