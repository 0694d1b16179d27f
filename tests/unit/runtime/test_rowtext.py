"""Rows of every role as plain data."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from schemas.codec import Codec
from schemas.entities import EntityType, Lane, Op
from schemas.registry import MemorySchemas
from streams.core import courier_rows, layers, policyrow, stock
from streams.core.courier_rows import Bucket, Cursor, Intent, Snapshot
from streams.core.desired import NEVER, Applied, Kind, Origin, Task, Wanted
from streams.core.holes import Hole
from streams.core.layers import Layer
from streams.core.ledger import Book, pack, row_key
from streams.core.massdelete import Window
from streams.runtime import rowtext
from streams.runtime.rowtext import Names, applied_up_to, decode, golden_key, plain_record
from streams.runtime.state import UnreadableRow
from streams.testing.topology import TopologyTestDriver
from tests.unit.runtime.explain.known import KEY, NEW, NOW, OLD, PRESTA, SHOP, config, row, said
from tests.unit.testing.test_topology import MEMBERS, money, rules

NAMES = Names.of(config().accounts, Codec(MemorySchemas()))


def told(key: bytes, value: bytes, courier: bool = False) -> dict[str, Any]:
    found = decode(courier, key, value, NAMES)
    assert json.loads(json.dumps(found)) == found
    return {**found.get("says", {}), **found}


def test_an_entity_says_who_wins_and_what_every_account_said() -> None:
    entity = row(said(SHOP, NOW, NEW), said(PRESTA, NOW - 5, OLD, asked=((NEW, NOW),)), said(b"\xaa" * 8, 1, OLD))
    found = told(b"E" + KEY.encode(), entity.pack())
    assert (found["row"], found["name"], found["winner"], found["fingerprint"]) == (
        "entity",
        KEY,
        "acme|shop",
        NEW.hex(),
    )
    accounts = {one["account"]: one for one in found["accounts"]}
    assert set(accounts) == {"acme|shop", "acme|presta", "aa" * 8}
    presta = accounts["acme|presta"]
    assert presta["version"] == {
        "clock": NOW - 5, "rank": "push", "sequence": 41, "mapping_revision": 3, "fingerprint": OLD.hex(),
    }  # fmt: skip
    assert presta["asked"] == [{"fingerprint": NEW.hex(), "corrected_time": NOW}]


def test_every_row_a_resolver_really_writes_can_be_read() -> None:
    driver = TopologyTestDriver.of(rules(), MEMBERS)
    for account in ("shop", "presta", "shop"):
        driver.say(account, EntityType.PRICE, "SKU-7~default~EUR", money({"shop": "10", "presta": "12"}[account]))
        driver.advance(10)
    driver.commit()
    found = [told(key, value) for key, value in driver.rows().items()]
    assert {one["row"] for one in found} == {
        "entity",
        "value",
        "watermark",
        "place",
        "clock",
        "policies",
        "flows",
        "ledger",
    }
    assert [one for one in found if "unreadable" in one] == []
    by_kind = {one["row"]: one for one in found}
    assert by_kind["place"]["name"] == "inbound.v1"
    assert (by_kind["place"]["applied_up_to"], by_kind["place"]["shard_seq"]) == (3, 3)
    said = {one["account"]: one["record"]["amount"]["amount"] for one in found if one["row"] == "value"}
    assert said == {"acme|shop": "10", "acme|presta": "12"}
    assert by_kind["value"]["name"] == "acme|price|SKU-7~default~EUR"
    assert by_kind["watermark"]["name"].startswith("acme|")
    assert by_kind["watermark"]["name"].endswith("|price")


def test_a_value_that_is_put_together_from_parts_shows_the_events_that_count() -> None:
    version = said(SHOP, NOW, NEW).version
    said_last = Layer(version, NOW, Op.UPSERT, 5, b"raw")
    found = told(b"V" + KEY.encode() + SHOP, layers.pack([said_last, said_last._replace(op=Op.DELETE, value=b"")]))
    assert (found["name"], found["account"]) == (KEY, "acme|shop")
    first, second = found["events"]
    assert (first["version"]["clock"], first["fields"], first["value"], first["op"]) == (NOW, 5, b"raw".hex(), "upsert")
    assert (second["op"], second["value"]) == ("delete", "")


def test_graves_counted_deletes_and_declared_clocks_are_read() -> None:
    grave = told(b"G" + (20_513).to_bytes(4, "big") + KEY.encode(), b"\1")
    assert (grave["row"], grave["name"], grave["deleted_on"]) == ("grave", KEY, "2026-03-01")
    deletes = told(b"B" + SHOP + bytes([EntityType.PRICE.code]), Window(NOW, 3).pack())
    assert (deletes["name"], deletes["says"]) == ("acme|shop|price", {"began": NOW, "count": 3})
    clock = told(b"K" + SHOP, b'[2,{"price":"updated_at"}]')
    assert (clock["name"], clock["says"]) == ("acme|shop", {"clock_epoch": 2, "clocks": {"price": "updated_at"}})


def test_reservations_of_a_stock_and_the_policies_in_force_are_read() -> None:
    level = "acme|inventory_level|SKU-1~BER"
    found = told(b"O" + level.encode(), stock.with_one(None, stock.Reservation(NEW, SHOP, 2_000_000, 1_000_000, NOW)))
    (line,) = found["reservations"]
    assert (found["name"], line["account"], line["units"], line["open"], line["placed"]) == (
        level, "acme|shop", 2_000_000, 1_000_000, NOW,
    )  # fmt: skip
    standing = policyrow.Standing.of(config().rules, [])
    rules_row = told(policyrow.KEY, policyrow.pack(standing))
    assert (rules_row["row"], rules_row["revision"]) == ("policies", 2)
    assert rules_row["says"]["policies"]["price"]["kind"] == "lww"


def test_the_entity_of_a_row_is_its_key_without_kind_and_account() -> None:
    assert golden_key(b"E" + KEY.encode()) == golden_key(b"V" + KEY.encode() + SHOP) == KEY.encode()


def test_a_ledger_row_shows_what_was_counted() -> None:
    key = row_key(Book.EVENTS, "acme|shop", "2026-03-01")
    found = told(key, pack(Book.EVENTS, {"received": 3, "won": 3}))
    assert (found["row"], found["name"]) == ("ledger", "acme|shop|2026-03-01")
    assert found["says"] == {"book": "events", "received": 3, "won": 3}


TASK = Task(
    Wanted("acme", "presta", Kind.SET, KEY, 4, Lane.HIGH, "prices", frozenset({"b", "a"}), NEW, b"raw", NOW,
           Origin("push.prestashop.v1", 1, 9)), not_before=NEVER,
)  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "value", "what", "shows"),
    [
        (b"Q", courier_rows.pack_task(TASK), "task", {"status": "ready", "not_before": "never"}),
        (b"I", courier_rows.pack_intent(Intent("r", "o", 4, NEW, 2, 1.5)), "intent", {"body_hash": NEW.hex()}),
        (
            b"A",
            courier_rows.pack_applied(Applied(4, frozenset({"b", "a"}), NEW, NOW)),
            "applied",
            {"fields": ["a", "b"]},
        ),
        (b"K", courier_rows.pack_cursor(Cursor({"page": 2}, 3)), "cursor", {"position": {"page": 2}, "scan": 3}),
        (b"H", courier_rows.pack_hole(Hole(2.5, "healed")), "hole", {"ends_at": 2.5, "reason": "healed"}),
        (b"N", courier_rows.pack_snapshot(Snapshot(NEW * 2, 5)), "snapshot", {"content": (NEW * 2).hex()}),
        (b"B", courier_rows.pack_bucket(Bucket(2.5, {"rate": 1})), "bucket", {"learnt": {"rate": 1}}),
        (b"R", courier_rows.pack_epoch(7), "epoch", {"value": 7}),
    ],
)
def test_every_row_of_a_courier_is_read(kind: bytes, value: bytes, what: str, shows: dict[str, Any]) -> None:
    found = told(courier_rows.key(kind, "acme|presta", KEY), value, courier=True)
    assert (found["row"], found["name"]) == (what, f"acme|presta {KEY}")
    assert {name: found[name] for name in shows} == shows


def test_a_task_shows_what_is_wanted_and_a_command_says_that_it_is_one() -> None:
    found = told(courier_rows.key(b"Q", "acme|presta", "\x01op-1"), courier_rows.pack_task(TASK), courier=True)
    assert found["name"] == "acme|presta command op-1"
    assert (found["wanted"]["fields"], found["wanted"]["value"], found["wanted"]["lane"]) == (
        ["a", "b"], b"raw".hex(), "high",
    )  # fmt: skip


def test_a_record_within_a_task_is_decoded() -> None:
    link = {"tenant": "acme", "type": "price", "account": "shop", "remote_id": "1", "golden_key": KEY,
            "status": "LINKED", "link_revision": 1, "linked_by": "sku", "linked_at": NOW, "aliases": {}}  # fmt: skip
    task = replace(TASK, wanted=replace(TASK.wanted, value=NAMES.codec.encode("xref", link)))
    found = told(courier_rows.key(b"Q", "acme|presta", KEY), courier_rows.pack_task(task), courier=True)
    assert found["wanted"]["value"] == link


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        (b"Xabc", b"\x01", "unknown to this version"),
        (b"E" + KEY.encode(), b"\x63" + bytes(25), "format 99"),
        (b"Pinbound.v1", b"short", "not the place"),
        (b"W\xff", b"", ""),
        (b"V" + KEY.encode() + SHOP, b"\x00\x00", "wire format"),
        (b"", b"", "unknown"),
    ],
)
def test_what_cannot_be_read_is_shown_in_hex_with_the_reason(key: bytes, value: bytes, says: str) -> None:
    found = told(key, value)
    assert says in found["unreadable"]
    assert found["hex"] == value.hex()


def test_every_kind_that_can_be_asked_for_is_one_that_is_decoded() -> None:
    assert {"entity", "task", "ledger"} <= set(rowtext.KINDS)
    assert len(rowtext.KINDS) == len(set(rowtext.KINDS))


def test_a_place_of_another_format_stops_whoever_relies_on_it() -> None:
    assert applied_up_to(struct.pack(">QQ", 5, 6)) == 5
    with pytest.raises(UnreadableRow, match="another version"):
        applied_up_to(b"\x00")


def test_a_record_is_text_numbers_and_lists() -> None:
    assert plain_record({"a": Decimal("1.500"), "b": (b"\xff", None)}) == {"a": "1.5", "b": ["ff", None]}
