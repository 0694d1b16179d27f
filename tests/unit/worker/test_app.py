"""Seconds that stock Faust waits for nothing, and we do not."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from faust.tables.manager import TableManager
from faust.worker import Worker

from streams.worker.app import NoTables, ShardWorker


class Tables:
    """As much of a table manager as starting one takes."""

    def __init__(self) -> None:
        self.should_stop = False
        self.did: list[Any] = []
        self.recovery = SimpleNamespace(start=self._recover)

    async def sleep(self, seconds: float) -> None:
        self.did.append(seconds)

    async def _update_channels(self) -> None:
        self.did.append("channels")

    async def _recover(self) -> None:
        self.did.append("recovery")


async def test_stock_waits_a_second_for_tables_and_ours_starts_at_once() -> None:
    stock, ours = Tables(), Tables()
    await TableManager.on_start(stock)
    assert stock.did == [1.0, "channels", "recovery"]
    starting: Any = NoTables.on_start
    await starting(ours)
    assert ours.did == ["channels", "recovery"]


async def test_stock_waits_a_second_at_the_end_and_ours_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    for kind in (Worker, ShardWorker):
        ending: Any = kind._sentinel_task
        await ending(SimpleNamespace())
    assert slept == [1.0]
