"""Laws of the desired-state table: order, repetition and batching of tasks do not matter."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from schemas.entities import Lane
from streams.core import courier_rows, desired
from streams.core.desired import Applied, Effect, Kind, Origin, Status, Task, Wanted
from streams.core.places import place_of

FIELDS = st.frozensets(st.sampled_from(["amount", "compare_at", "title"]), min_size=1)


@st.composite
def wanteds(draw: st.DrawFn) -> Wanted:
    """Tasks of two entities; one version always asks for the same content."""
    version = draw(st.integers(1, 6))
    kind = draw(st.sampled_from([Kind.SET, Kind.COMMAND, Kind.FETCH]))
    flow = draw(st.sampled_from(["one", "two"]))
    return Wanted(
        tenant="acme",
        account="shop",
        kind=kind,
        subject=draw(st.sampled_from(["acme|price|A", "acme|price|B"])),
        version=version,
        lane=draw(st.sampled_from(list(Lane))),
        cause=flow,
        fields=draw(FIELDS),
        fingerprint=b"%08d" % version,
        value=b"v%d" % version,
        wanted_at=version,
        origin=Origin("push", 0, draw(st.integers(0, 99))),
        operation_id="ship-1" if kind is Kind.COMMAND else "",
    )


def run(tasks: list[Wanted], start: dict[str, Task], applied: Applied | None) -> dict[str, Task]:
    table = dict(start)
    for one in tasks:
        known = applied if one.kind is Kind.SET else None
        row, _ = desired.upsert(table.get(one.row), known, one)
        if row is not None:
            table[one.row] = row
    return table


APPLIED = st.none() | st.builds(Applied, st.integers(1, 6), FIELDS, st.just(b""))


@given(st.lists(wanteds(), max_size=8), APPLIED, st.data())
def test_any_order_and_repetition_of_the_same_tasks_gives_the_same_table(
    tasks: list[Wanted], applied: Applied | None, data: st.DataObject
) -> None:
    table = run(tasks, {}, applied)
    shuffled = data.draw(
        st.permutations(tasks + data.draw(st.lists(st.sampled_from(tasks), max_size=4)) if tasks else [])
    )
    assert run(list(shuffled), {}, applied) == table


@given(st.lists(wanteds(), max_size=8), wanteds(), st.sampled_from([Status.INFLIGHT, Status.UNKNOWN]), st.data())
def test_order_does_not_matter_either_while_a_version_is_in_flight(
    tasks: list[Wanted], running: Wanted, status: Status, data: st.DataObject
) -> None:
    start = {running.row: Task(running, status, attempts=1)}
    table = run(tasks, start, None)
    assert run(list(data.draw(st.permutations(tasks))), start, None) == table
    assert table[running.row].wanted == running


@given(st.lists(wanteds(), min_size=1, max_size=8))
def test_a_set_that_waits_is_the_newest_version_with_the_most_urgent_lane(tasks: list[Wanted]) -> None:
    for row, task in run(tasks, {}, None).items():
        same = [one for one in tasks if one.row == row]
        if task.wanted.kind is not Kind.COMMAND:
            assert task.wanted.version == max(one.version for one in same)
            assert task.wanted.fields == frozenset().union(*(one.fields for one in same))
        assert list(Lane).index(task.wanted.lane) == min(list(Lane).index(one.lane) for one in same)


@given(st.lists(wanteds(), max_size=12), APPLIED)
def test_every_task_is_stored_coalesced_or_a_no_op_and_rows_are_what_was_stored(
    tasks: list[Wanted], applied: Applied | None
) -> None:
    table: dict[str, Task] = {}
    stored = 0
    for one in tasks:
        row, effect = desired.upsert(table.get(one.row), applied if one.kind is Kind.SET else None, one)
        stored += effect is Effect.STORED
        if row is not None:
            table[one.row] = row
    assert stored == len(table)


@given(st.lists(st.sampled_from(["upsert", "begin", "done", "fail", "lose"]), max_size=40), st.data())
def test_confirmed_versions_never_go_back_whatever_happens(steps: list[str], data: st.DataObject) -> None:
    """One set entity under any interleaving of arrivals and outcomes."""
    task: Task | None = None
    applied: Applied | None = None
    confirmed: list[int] = []
    for step in steps:
        if step == "upsert":
            task, _ = desired.upsert(
                task, applied, replace(data.draw(wanteds()), kind=Kind.SET, operation_id="", subject="x")
            )
        elif task is None:
            continue
        elif step == "begin" and task.status in (Status.READY, Status.UNKNOWN):
            task = desired.begin(task)
        elif task.status is not Status.INFLIGHT:
            continue
        elif step == "done":
            applied = desired.confirm(applied, task.wanted, at=0)
            confirmed.append(task.wanted.version)
            task = desired.succeed(task)
        else:
            task = desired.retry(task, 1.0, "x") if step == "fail" else desired.doubt(task, 1.0, "x")
    assert confirmed == sorted(confirmed)


@given(wanteds(), st.none() | wanteds(), st.sampled_from(list(Status)), st.floats(0, 2e9))
def test_a_row_survives_packing(one: Wanted, later: Wanted | None, status: Status, until: float) -> None:
    task = Task(one, status, 3, until, "why", later)
    assert courier_rows.unpack_task(courier_rows.pack_task(task)) == task


@given(
    wanteds(),
    st.none() | wanteds(),
    st.sampled_from(list(Status)),
    st.floats(0, 2e9) | st.just(desired.NEVER),
    st.just(0) | st.integers(1, 2**51),
)
def test_where_a_row_waits_is_read_without_the_row(
    one: Wanted, later: Wanted | None, status: Status, until: float, expires_at: int
) -> None:
    task = Task(replace(one, expires_at=expires_at), status, 3, until, "why", later)
    place = courier_rows.unpack_place(courier_rows.pack_task(task))
    if place is None:
        assert later or one.kind is Kind.COMMAND or status in (Status.INFLIGHT, Status.UNKNOWN)
    else:
        assert place == place_of(task)
        assert one.kind is not Kind.COMMAND
