"""Polls and fetches: pages as atoms, snapshots, deletes by absence, the order of reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from connectors.kit.contract import Account, Observation, Request, Response, Written
from schemas import headers, topics
from streams.core import courier_rows as rows
from streams.runtime.raw import ANSWER, micros
from streams.shard.memory import MemoryShard
from tests.unit.courier.world import PLATFORM, START, World, breathe, fetch, key, task

Rows = list[tuple[str, bytes]]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A world with a poller that has nothing to read yet; tests start it."""
    made = World()
    made.with_poller = True
    made.vendor.resource_names = ("stock",)
    yield made
    await made.stop()


def said(world: World) -> list[tuple[str, str]]:
    return [(one["resource_id"], one["op"]) for one in world.raw()]


def shelf(count: int) -> Rows:
    return [(f"id{n:03}", b"%d" % n) for n in range(count)]


# ------------------------------------------------------------------------------------------------------- polls


async def test_a_pass_reads_all_pages_and_comes_again_after_the_interval(world: World) -> None:
    world.shop.pages["stock"] = [[("1", b"a")], [("2", b"b")]]
    await world.start()
    assert said(world) == [("1", "upsert"), ("2", "upsert")]
    assert len(world.shop.requests) == 2
    await world.advance(59)
    assert len(world.shop.requests) == 2
    await world.advance(2)
    assert len(world.shop.requests) == 4


async def test_a_raw_record_says_when_it_was_read_and_in_which_order(world: World) -> None:
    world.shop.pages["stock"] = [[("1", b"a")]]
    await world.start()
    (one,) = world.raw()
    assert (one["channel"], one["topic"], one["tenant"], one["account"]) == ("poll", "stock", "acme", "shop")
    assert one["read_sequence"] == (1 << 44) + 1
    (emitted,) = world.shard.outputs(topics.raw(PLATFORM))
    attributes = dict(emitted.headers or [])
    assert attributes["ce_id"].decode() == one["delivery_id"]
    assert attributes["ce_time"] == b"2026-03-01T12:00:00+00:00"
    assert headers.NAME not in attributes
    assert emitted.key == b"acme|shop|1"


async def test_read_sequences_rise_over_reads_and_restarts(world: World) -> None:
    world.vendor.scan = False
    world.shop.pages["stock"] = [[("1", b"a")]]
    await world.start()
    await world.advance(61)
    await world.restart()
    await world.advance(61)
    sequences = [one["read_sequence"] for one in world.raw()]
    assert len(sequences) >= 3
    assert sequences == sorted(set(sequences))
    assert sequences[-1] >> 44 == 2
    assert len({one["delivery_id"] for one in world.raw()}) == len(sequences)


async def test_a_scan_emits_only_what_differs_from_its_snapshot(world: World) -> None:
    world.shop.pages["stock"] = [[("1", b"a"), ("2", b"b")]]
    await world.start()
    world.shop.pages["stock"] = [[("1", b"a"), ("2", b"B"), ("3", b"c")]]
    await world.advance(61)
    assert said(world)[2:] == [("2", "upsert"), ("3", "upsert")]


async def test_a_poll_by_date_emits_everything_it_reads(world: World) -> None:
    world.vendor.scan = False
    world.shop.pages["stock"] = [[("1", b"a")]]
    await world.start()
    await world.advance(61)
    assert said(world) == [("1", "upsert")] * 2


async def test_a_page_and_its_cursor_are_one_atom(world: World) -> None:
    world.shop.pages["stock"] = [[("1", b"a")], [("2", b"b")], [("3", b"c")]]
    world.shop.status(200)
    world.shop.status(200)
    world.shop.away(1)
    await world.start()
    world.shop.script.clear()
    cursor = rows.key(rows.CURSOR, "acme|shop", "stock")
    assert rows.unpack_cursor(world.shard._rows_at_commit[cursor]).position == {"page": 2}
    await world.restart()
    assert said(world) == [("1", "upsert"), ("2", "upsert"), ("3", "upsert")]


async def test_a_page_lost_in_a_crash_is_read_again(world: World) -> None:
    world.shop.pages["stock"] = [[("1", b"a")], [("2", b"b")]]
    world.shop.gate = asyncio.Event()
    await world.start()
    await world.kill()
    assert said(world) == []
    world.shop.gate = None
    await world.start()
    assert said(world) == [("1", "upsert"), ("2", "upsert")]


@pytest.mark.parametrize("scan", [True, False])
async def test_a_crash_at_any_commit_loses_nothing_and_a_scan_says_nothing_twice(*, scan: bool) -> None:
    """The process dies when so many commits have been carried out, with what was gathered for the next one."""
    whole = await passes_with_a_crash(10**6, scan=scan)
    assert ("id004", "delete") in whole or not scan
    for commits in range(1, 8):
        found = await passes_with_a_crash(commits, scan=scan)
        assert set(found) == set(whole)
        assert len(found) == len(whole) or not scan


async def passes_with_a_crash(commits: int, *, scan: bool) -> list[tuple[str, str]]:
    """Two passes of three pages, the second over a changed shop, and a third for what a crash left unconcluded."""
    world = World()
    world.with_poller, world.vendor.scan, world.vendor.resource_names = True, scan, ("stock",)
    world.shop.pages["stock"] = [shelf(2), shelf(4)[2:], [("id004", b"4")]]
    commit, left = type(world.shard).commit, [commits]

    async def dies(shard: MemoryShard) -> None:
        left[0] -= 1
        if left[0] == -1:
            await asyncio.Event().wait()
        await commit(shard)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryShard, "commit", dies)
        await world.start()
        if left[0] < 0:
            await world.restart()
        world.shop.pages["stock"] = [[("id000", b"new"), ("id001", b"1")], shelf(4)[2:], []]
        for _ in range(3):
            await world.advance(61)
            if left[0] < 0:
                left[0] = 10**6
                await world.restart()
    await world.stop()
    return said(world)


async def test_what_a_complete_scan_does_not_find_is_deleted(world: World) -> None:
    world.shop.pages["stock"] = [shelf(5)]
    await world.start()
    world.shop.pages["stock"] = [shelf(4)]
    await world.advance(61)
    assert said(world)[5:] == [("id004", "delete")]
    await world.advance(61)
    assert len(said(world)) == 6


async def test_a_deletion_is_dated_at_the_beginning_of_the_scan_that_missed_the_record(world: World) -> None:
    world.shop.pages["stock"] = [shelf(5), []]
    await world.start()
    world.shop.pages["stock"] = [shelf(4), []]
    world.shop.script.append(world.shop.carry_out)
    world.shop.away(1)
    await world.advance(75)
    (gone,) = [one for one in world.raw() if one["op"] == "delete"]
    started, read = [at for at, _ in world.shop.requests][2::2]
    assert micros(gone["read_started_at"]) == round(started * 1e6) < round(read * 1e6)
    assert micros(gone["received_at"]) >= round(read * 1e6)


async def test_an_incomplete_scan_deletes_nothing(world: World) -> None:
    world.vendor.complete = False
    world.shop.pages["stock"] = [shelf(5)]
    await world.start()
    world.shop.pages["stock"] = [shelf(4)]
    await world.advance(61)
    assert said(world)[5:] == []


async def test_a_scan_that_a_restart_interrupted_deletes_nothing_and_the_next_one_does(world: World) -> None:
    world.shop.pages["stock"] = [shelf(2), shelf(4)[2:]]
    await world.start()
    world.shop.pages["stock"] = [shelf(1), [("id002", b"2")]]
    world.shop.script.append(lambda _: (200, {}, b""))
    world.shop.away(1)
    await world.advance(60.1)
    world.shop.script.clear()
    await world.restart()
    assert said(world)[4:] == []
    await world.advance(61)
    assert sorted(said(world)[4:]) == [("id001", "delete"), ("id003", "delete")]


async def test_a_scan_that_misses_a_third_of_the_shop_is_not_believed(world: World) -> None:
    world.shop.pages["stock"] = [shelf(100)]
    await world.start()
    world.shop.pages["stock"] = [shelf(69)]
    await world.advance(61)
    assert len(said(world)) == 100
    assert world.noted.brakes == [("stock", 31, 100)]
    world.shop.pages["stock"] = [shelf(70)]
    await world.advance(61)
    assert len(said(world)) == 130


async def test_a_small_shop_may_lose_most_of_its_records(world: World) -> None:
    world.shop.pages["stock"] = [shelf(10)]
    await world.start()
    world.shop.pages["stock"] = [shelf(1)]
    await world.advance(61)
    assert said(world)[10:] == [(f"id{n:03}", "delete") for n in range(1, 10)]


async def test_a_page_that_fails_is_tried_again_and_recorded(world: World) -> None:
    world.shop.pages["stock"] = [[("1", b"a")]]
    world.shop.status(503)
    world.shop.status(400, b"bad filter")
    await world.start()
    await world.advance(70)
    assert said(world) == [("1", "upsert")]
    assert [call["outcome"] for call in world.calls()] == ["retry", "invalid", "success"]


# ----------------------------------------------------------------------------------------------------- fetches


async def test_a_fetch_becomes_a_raw_record_and_its_row_goes() -> None:
    world = await World().start()
    world.shop.records["9"] = b"nine"
    world.push(fetch("item", "9"), fetch("item", "gone"), topic=topics.fetch(PLATFORM))
    await breathe()
    assert sorted(said(world)) == [("9", "upsert"), ("gone", "delete")]
    assert {one["channel"] for one in world.raw()} == {"fetch"}
    assert [key for key in world.shard.rows.data if key[:1] == b"Q"] == []
    assert world.ledger() == {}
    await world.stop()


async def test_a_fetch_asked_for_twice_is_read_once() -> None:
    world = await World().start()
    world.push(fetch("item", "9"), fetch("item", "9", requested_at=START + 5), topic=topics.fetch(PLATFORM))
    await breathe()
    assert len(world.shop.requests) == 1
    await world.stop()


async def test_a_fetch_asked_for_during_the_read_is_read_again() -> None:
    world = await World().start()
    world.shop.gate = asyncio.Event()
    world.push(fetch("item", "9"), topic=topics.fetch(PLATFORM))
    await breathe()
    world.push(fetch("item", "9", requested_at=START + 5), topic=topics.fetch(PLATFORM))
    world.shop.gate.set()
    await breathe()
    assert len(world.shop.requests) == 2
    await world.stop()


async def test_a_fetch_survives_a_crash() -> None:
    world = await World().start()
    world.shop.gate = asyncio.Event()
    world.push(fetch("item", "9"), topic=topics.fetch(PLATFORM))
    await breathe()
    world.shop.gate = None
    await world.restart()
    assert said(world) == [("9", "delete")]
    await world.stop()


async def test_a_fetch_without_an_id_is_a_dead_letter() -> None:
    world = await World().start()
    world.push(fetch("item", ""), topic=topics.fetch(PLATFORM))
    assert world.dead_letters()[0]["reason"] == "undecodable"
    await world.stop()


async def test_a_page_is_never_read_beside_a_fetch(world: World) -> None:
    world.shop.pages["stock"] = [[("1", b"a")]]
    await world.start()
    world.shop.gate = asyncio.Event()
    world.push(fetch("item", "9"), topic=topics.fetch(PLATFORM))
    await world.advance(61)
    assert [request.operation for _, request in world.shop.requests[1:]] == ["fetch"]
    world.shop.gate.set()
    await breathe()
    assert [request.operation for _, request in world.shop.requests[1:]] == ["fetch", "poll.stock"]


async def test_urgent_writes_go_on_while_a_page_waits_for_a_fetch(world: World) -> None:
    world.shop.pages["stock"] = [[("1", b"a")]]
    await world.start()
    world.shop.gate = asyncio.Event()
    world.push(fetch("item", "9"), topic=topics.fetch(PLATFORM))
    await world.advance(61)
    world.push(task("A", 1))
    await breathe()
    assert world.shop.requests[-1][1].operation == "set"
    world.shop.gate.set()
    await breathe()


async def test_urgent_writes_go_on_while_a_fetch_waits_for_a_page(world: World) -> None:
    world.shop.pages["stock"] = [[("1", b"a")]]
    held = asyncio.Event()
    hold_pages(world, held)
    await world.start()
    world.push(fetch("item", "9"), topic=topics.fetch(PLATFORM))
    await breathe()
    world.push(task("A", 1))
    await breathe()
    assert [request.operation for _, request in world.shop.requests] == ["set"]
    held.set()
    await breathe()
    assert [request.operation for _, request in world.shop.requests] == ["set", "poll.stock", "fetch"]


# ---------------------------------------------------------------------------------------- what writes observed


async def test_what_a_write_observed_is_emitted_and_known_to_the_scan(world: World) -> None:
    world.vendor.observe_writes = True
    world.shop.pages["stock"] = [[(f"remote-{key('A')}", b"before")]]
    await world.start()
    world.push(task("A", 1))
    await breathe()
    world.shop.pages["stock"] = [[(f"remote-{key('A')}", b"ours")]]
    await world.advance(61)
    assert [one["body"] for one in world.raw()] == [b"before", b"ours"]


@pytest.mark.parametrize(("holds", "told"), [(True, {ANSWER: "true"}), (False, {})])
async def test_how_an_account_stores_what_it_holds_already_is_told_from_an_edit(
    holds: bool, told: dict[str, str]
) -> None:
    world = World()
    world.vendor.found = Written(no_op=True, observed=[Observation("stock", "1", b"rounded")], holds=holds)
    await world.start()
    world.push(task("A", 1))
    await breathe()
    assert [one["headers"] for one in world.raw()] == [told]
    assert world.ledger() == {"received": 1, "no_op": 1}
    await world.stop()


async def test_a_write_without_observation_emits_nothing() -> None:
    world = await World().start()
    world.push(task("A", 1))
    await breathe()
    assert world.raw() == []
    await world.stop()


async def test_a_page_that_overlapped_a_write_does_not_hide_what_the_next_scan_finds(world: World) -> None:
    world.vendor.observe_writes = True
    name = f"remote-{key('A')}"
    world.shop.pages["stock"] = [[(name, b"before")]]
    await world.start()
    held = asyncio.Event()
    hold_pages(world, held)
    await world.advance(61)
    world.push(task("A", 1))
    await breathe()
    world.shop.pages["stock"] = [[(name, b"third party")]]
    held.set()
    await breathe()
    await world.advance(61)
    last = world.raw()[-1]
    assert last["body"] == b"third party"
    assert last["read_sequence"] == max(one["read_sequence"] for one in world.raw())


def hold_pages(world: World, held: asyncio.Event) -> None:
    """Pages whose reply is held back while other requests go on."""
    send = world.shop.send

    async def held_send(account: Account, request: Request, seconds: float, /) -> Response:
        if request.operation.startswith("poll."):
            await held.wait()
        return await send(account, request, seconds)

    world.shop.send = held_send  # type: ignore[method-assign]
