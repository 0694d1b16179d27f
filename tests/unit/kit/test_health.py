"""Alive, ready, and why not."""

from __future__ import annotations

import pytest

from connectors.kit.clock import ManualClock
from connectors.kit.health import Health, State


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def test_a_process_is_alive_and_not_ready_while_it_starts(clock: ManualClock) -> None:
    health = Health(clock)
    health.to(State.STARTING, "restoring shard 3")
    assert health.live
    assert health.obstacles() == ["starting: restoring shard 3"]


def test_a_process_without_progress_is_neither_alive_nor_ready(clock: ManualClock) -> None:
    health = Health(clock, patience=30)
    health.to(State.READY)
    clock.advance(30)
    assert health.live
    clock.advance(1)
    assert not health.live
    assert health.obstacles() == ["no progress for 31 s"]
    health.beat()
    assert health.live
    assert health.obstacles() == []


def test_a_draining_process_is_alive_and_gets_no_work(clock: ManualClock) -> None:
    health = Health(clock)
    health.to(State.READY)
    health.to(State.DRAINING)
    assert health.live
    assert health.obstacles() == ["draining"]


def test_a_dead_process_says_so(clock: ManualClock) -> None:
    health = Health(clock)
    health.to(State.DEAD, "fenced")
    assert not health.live
    assert "dead: fenced" in health.obstacles()


def test_shards_that_move_make_a_ready_process_start_again(clock: ManualClock) -> None:
    health = Health(clock)
    health.to(State.READY)
    health.to(State.STARTING, "restoring shard 5")
    health.to(State.READY)
    assert health.obstacles() == []


@pytest.mark.parametrize("end", [State.DRAINING, State.DEAD])
@pytest.mark.parametrize("back", [State.STARTING, State.READY])
def test_there_is_no_way_back_from_the_end(clock: ManualClock, end: State, back: State) -> None:
    health = Health(clock)
    health.to(end)
    with pytest.raises(ValueError, match=f"{end} cannot become {back}"):
        health.to(back)


def test_a_failed_condition_is_named_and_does_not_kill(clock: ManualClock) -> None:
    health = Health(clock)
    health.to(State.READY)
    full = True
    health.check("queue", lambda: "8000 of 8000 records" if full else None)
    assert health.obstacles() == ["queue: 8000 of 8000 records"]
    assert health.live
    full = False
    assert health.obstacles() == []
