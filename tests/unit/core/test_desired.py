"""One row of the desired-state table: what an upsert and each transition make of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from schemas.entities import Lane
from streams.core import desired
from streams.core.desired import Applied, Effect, Kind, Origin, Status, Task, Wanted


def wanted(version: int, **changes: Any) -> Wanted:
    one = Wanted(
        tenant="acme",
        account="shop",
        kind=Kind.SET,
        subject="acme|price|A",
        version=version,
        lane=Lane.NORMAL,
        cause="prices",
        fields=frozenset({"amount"}),
        fingerprint=b"%08d" % version,
        value=b"v%d" % version,
        wanted_at=version,
        origin=Origin("push.shopify.v1", 0, version),
    )
    return replace(one, **changes)


def command(operation_id: str, version: int = 1) -> Wanted:
    return wanted(version, kind=Kind.COMMAND, operation_id=operation_id)


def test_a_first_task_is_stored() -> None:
    assert desired.upsert(None, None, wanted(3)) == (Task(wanted(3)), Effect.STORED)


def test_the_newest_version_wins_and_the_most_urgent_lane_stays() -> None:
    row, effect = desired.upsert(Task(wanted(3, lane=Lane.HIGH)), None, wanted(4, lane=Lane.BULK))
    assert effect is Effect.COALESCED
    assert row is not None
    assert (row.wanted.version, row.wanted.lane) == (4, Lane.HIGH)


def test_an_older_version_changes_nothing_but_lane_and_fields() -> None:
    row, _ = desired.upsert(Task(wanted(4)), None, wanted(3, fields=frozenset({"compare_at"}), lane=Lane.HIGH))
    assert row == Task(wanted(4, fields=frozenset({"amount", "compare_at"}), lane=Lane.HIGH))


@pytest.mark.parametrize(
    ("version", "fields", "effect"),
    [
        (4, {"amount"}, Effect.NO_OP),
        (5, {"amount"}, Effect.NO_OP),
        (5, {"compare_at"}, Effect.STORED),
        (6, {"amount"}, Effect.STORED),
    ],
)
def test_what_the_account_holds_already_is_a_no_op(version: int, fields: set[str], effect: Effect) -> None:
    applied = Applied(5, frozenset({"amount"}), b"")
    assert desired.upsert(None, applied, wanted(version, fields=frozenset(fields)))[1] is effect


@pytest.mark.parametrize("status", [Status.INFLIGHT, Status.UNKNOWN])
def test_while_a_version_may_be_on_its_way_newer_ones_wait_beside_it(status: Status) -> None:
    running = Task(wanted(3), status)
    row, effect = desired.upsert(running, None, wanted(4))
    assert (row, effect) == (replace(running, later=wanted(4)), Effect.STORED)
    row, effect = desired.upsert(row, None, wanted(5))
    assert (row, effect) == (replace(running, later=wanted(5)), Effect.COALESCED)
    assert desired.upsert(running, None, wanted(3)) == (running, Effect.COALESCED)


def test_after_success_what_waited_beside_it_is_next() -> None:
    assert desired.succeed(Task(wanted(3), Status.INFLIGHT)) is None
    assert desired.succeed(Task(wanted(3), Status.INFLIGHT, attempts=4, later=wanted(4))) == Task(wanted(4))


def test_after_failure_the_newer_version_carries_the_fields_of_both() -> None:
    running = Task(wanted(3, fields=frozenset({"compare_at"})), Status.INFLIGHT, attempts=2, later=wanted(4))
    row = desired.retry(running, 99.0, "unavailable")
    assert row.wanted == wanted(4, fields=frozenset({"amount", "compare_at"}))
    assert (row.status, row.attempts, row.not_before, row.later) == (Status.READY, 2, 99.0, None)


def test_doubt_keeps_both_versions_until_the_old_one_cannot_land() -> None:
    row = desired.doubt(Task(wanted(3), Status.INFLIGHT, later=wanted(4)), 99.0, "outcome_unknown")
    assert (row.status, row.wanted, row.later) == (Status.UNKNOWN, wanted(3), wanted(4))
    assert desired.begin(row).wanted == wanted(4)


def test_a_dead_row_keeps_no_bytes_and_comes_back_with_the_same_or_a_newer_version() -> None:
    dead = desired.kill(Task(wanted(3), Status.INFLIGHT), "invalid")
    assert (dead.status, dead.wanted.value, dead.not_before) == (Status.DEAD, b"", desired.NEVER)
    assert desired.upsert(dead, None, wanted(2)) == (dead, Effect.COALESCED)
    assert desired.upsert(dead, None, wanted(3)) == (Task(wanted(3)), Effect.STORED)
    assert desired.kill(Task(wanted(3), Status.INFLIGHT, later=wanted(4)), "invalid") == Task(wanted(4))


def test_a_parked_row_wakes_for_a_newer_version_only() -> None:
    parked = desired.park(Task(wanted(3), Status.INFLIGHT, attempts=6), "unlinked", recheck_at=30.0)
    woken, _ = desired.upsert(parked, None, wanted(4))
    assert woken == Task(wanted(4))
    still, _ = desired.upsert(parked, None, wanted(2))
    assert still is not None
    assert still.status is Status.PARKED


def test_commands_have_a_row_each_and_are_not_repeated() -> None:
    assert command("ship-1").row != command("ship-2").row
    assert desired.upsert(None, Applied(1, frozenset(), b""), command("ship-1")) == (None, Effect.NO_OP)
    tried = Task(command("ship-1"), attempts=1)
    assert desired.upsert(tried, None, command("ship-1", version=2)) == (tried, Effect.NO_OP)


def test_an_operation_id_names_account_entity_and_version_or_is_the_commands_own() -> None:
    assert wanted(3).op_id == "shop|acme|price|A|3"
    assert command("ship-1").op_id == "ship-1"


def test_what_is_held_of_one_version_grows_by_flows_and_starts_anew_with_the_next() -> None:
    held = desired.confirm(None, wanted(3), at=1)
    held = desired.confirm(held, wanted(3, fields=frozenset({"compare_at"})), at=2)
    assert held.fields == {"amount", "compare_at"}
    assert desired.confirm(held, wanted(4), at=3).fields == {"amount"}
