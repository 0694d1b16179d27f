"""Virtual time."""

from __future__ import annotations

import asyncio

import pytest

from streams.testing.score import loop


def test_an_hour_passes_and_everything_wakes_in_the_order_of_its_deadline() -> None:
    async def main() -> list[tuple[str, float]]:
        woken, began = [], asyncio.get_running_loop().time()

        async def sleeper(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            woken.append((name, round(asyncio.get_running_loop().time() - began, 3)))

        await asyncio.gather(
            sleeper("hour", 3600.0), sleeper("first", 0.5), sleeper("second", 0.5), sleeper("last", 7e3)
        )
        return woken

    assert loop.run(main()) == [("first", 0.5), ("second", 0.5), ("hour", 3600.0), ("last", 7000.0)]


def test_a_timeout_fires_in_virtual_time() -> None:
    async def main() -> None:
        await asyncio.wait_for(asyncio.Event().wait(), 1800.0)

    with pytest.raises(TimeoutError):
        loop.run(main())


def test_who_waits_for_less_than_the_clock_resolves_gets_there() -> None:
    async def main() -> int:
        running, turns = asyncio.get_running_loop(), 0
        target = running.time() + 2e-10
        while running.time() < target:
            await asyncio.sleep(target - running.time())
            turns += 1
        return turns

    assert loop.run(main()) == 1


def test_a_standstill_is_told_instead_of_waited_for() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(loop.Standstill, match="no timer is set"):
        loop.run(main())


def test_wall_and_monotonic_time_are_one() -> None:
    async def main() -> tuple[int, float]:
        clock = loop.LoopClock(asyncio.get_running_loop())
        await asyncio.sleep(60.0)
        return clock.now(), clock.monotonic()

    now, monotonic = loop.run(main())
    assert now == round(monotonic * 1e6)
    assert monotonic == pytest.approx(loop.START + 60.0)
