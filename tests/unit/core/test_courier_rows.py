"""Rows survive packing, and foreign bytes are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streams.core import courier_rows as rows
from streams.core.desired import NEVER, Applied, Status, Task
from tests.unit.core.test_desired import command, wanted

SENT = rows.Frozen("POST", "/x", {"a": "b"}, b"\x00")
EXAMPLES: list[tuple[Callable[[Any], bytes], Callable[[bytes], Any], Any]] = [
    (rows.pack_task, rows.unpack_task, Task(wanted(3), Status.UNKNOWN, 2, 99.5, "outcome_unknown", wanted(4))),
    (rows.pack_task, rows.unpack_task, Task(command("ship-1"), Status.PARKED, 7, NEVER, "outcome_unknown")),
    (rows.pack_intent, rows.unpack_intent, rows.Intent("row", "op|1", 3, b"\x00\xff" * 8, 5, 1772366400.25)),
    (
        rows.pack_intent,
        rows.unpack_intent,
        rows.Intent(
            "row", "op", 3, b"\x00" * 16, 5, 2.5, "key", 1.5, False, (rows.Frozen("POST", "/x", {"a": "b"}, b"\x00"),)
        ),
    ),
    (rows.pack_applied, rows.unpack_applied, Applied(3, frozenset({"amount"}), b"\x00" * 8, 17)),
    (rows.pack_cursor, rows.unpack_cursor, rows.Cursor({"page": 2, "at": "x"}, 4, 1.5, 0.0, open=True)),
    (rows.pack_snapshot, rows.unpack_snapshot, rows.Snapshot(b"\x01" * 16, 5 << 44 | 9)),
    (rows.pack_bucket, rows.unpack_bucket, rows.Bucket(99.5, {"refill": 3.5})),
    (rows.pack_epoch, rows.unpack_epoch, 7),
]


@pytest.mark.parametrize(("pack", "unpack", "value"), EXAMPLES)
def test_a_row_survives_packing(pack: Callable[[Any], bytes], unpack: Callable[[bytes], Any], value: Any) -> None:
    assert unpack(pack(value)) == value
    assert pack(value)[0] == rows.FORMAT


@pytest.mark.parametrize(("pack", "unpack", "value"), EXAMPLES)
def test_a_row_of_another_format_is_refused(
    pack: Callable[[Any], bytes], unpack: Callable[[bytes], Any], value: Any
) -> None:
    with pytest.raises(rows.InvalidRow):
        unpack(b"\x09" + pack(value)[1:])
    with pytest.raises(rows.InvalidRow):
        unpack(b"")


def test_a_prefix_finds_the_rows_of_one_account_and_of_no_other() -> None:
    assert rows.key(rows.TASK, "acme|shop", "a").startswith(rows.key(rows.TASK, "acme|shop"))
    assert not rows.key(rows.TASK, "acme|shop2", "a").startswith(rows.key(rows.TASK, "acme|shop"))
    assert rows.rest_of(rows.key(rows.SNAPSHOT, "acme|shop", "stock", "products", "7")) == ("stock", "products", "7")
