"""Shards on their way from assigned to open, side by side, while the others work already.

A shard is fenced before `start` returns, that is inside the group's assigned callback: no fence of an earlier
assignment can then come late and shut out the owner of a later one. Reading begins beside the fence and goes on behind
the callback, so that heartbeats go on too. What cannot be read is asked for again, for ever: a shard that waits is
better than one that works on part of its state.
"""

from __future__ import annotations

import asyncio
import random
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NoReturn

import structlog
from confluent_kafka import KafkaException

from connectors.kit import backoff
from streams.shard.changelog import Cut
from streams.shard.offsets import Offsets
from streams.shard.plan import Plan
from streams.shard.restore import Abandoned, Restore
from streams.shard.turns import Turns

THREADS = 32  # that fence, open stores, ask for bounds and read; they live only when needed
REPORT = 5.0  # seconds between two log lines of a restoring shard
LONGEST_WAIT = 30.0  # seconds between two attempts to read what cannot be read
_UNREADABLE = (KafkaException, TimeoutError, Cut)
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Job:
    restore: Restore
    task: asyncio.Task[None]
    fenced: asyncio.Event = field(default_factory=asyncio.Event)
    thread: asyncio.Future[Any] | None = None
    told_at: float = field(default_factory=time.monotonic)


class Restoring:
    """`opened` is called on the event loop, never while held, with each shard that is restored; what it raises, and
    whatever else goes wrong, goes to `fatal`."""

    def __init__(self, plan: Plan, opened: Callable[[Restore], None], fatal: Callable[[str], NoReturn]) -> None:
        self._plan = plan
        self._opened = opened
        self._fatal = fatal
        self._jobs: dict[int, _Job] = {}
        self._turns = Turns(plan.restores)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="restore")
        self._prepared: asyncio.Task[None] | None = None
        self._released = asyncio.Event()

    @property
    def numbers(self) -> set[int]:
        """Shards that are assigned and not open."""
        return set(self._jobs)

    def troubles(self) -> list[str]:
        """Why shards wait, where they do more than read."""
        return [
            f"shard {number} waits: {job.restore.progress.trouble}"
            for number, job in sorted(self._jobs.items())
            if job.restore.progress.trouble
        ]

    async def start(self, numbers: Iterable[int], offsets: Offsets) -> None:
        """Fence these shards, and begin to restore them. Raises KafkaException when one cannot be fenced."""
        jobs = [self._begin(Restore(self._plan, number, offsets)) for number in numbers]
        await asyncio.gather(*map(self._fence, jobs))

    def _begin(self, restore: Restore) -> _Job:
        task = asyncio.create_task(self._bring_up(restore), name=f"shard-{restore.number}-restore")
        job = self._jobs[restore.number] = _Job(restore, task)
        return job

    async def _fence(self, job: _Job) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, job.restore.fence)
        job.fenced.set()

    async def abandon(self, numbers: Iterable[int]) -> None:
        """These shards are somebody else's: stop at once and close their stores."""
        jobs = [self._jobs.pop(number) for number in list(numbers) if number in self._jobs]
        await asyncio.gather(*map(self._end, jobs))

    def hold(self) -> None:
        """The group changes: nothing is opened until `release`, as it may belong to somebody else then."""
        self._released.clear()

    def release(self) -> None:
        """What is still here is ours."""
        self._released.set()

    async def done(self) -> None:
        """Return when everything is open. Raises what a restore failed with, where `fatal` only raised."""
        while self._jobs:
            tasks = [job.task for job in self._jobs.values()]
            finished, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in finished:
                task.result()

    def report(self) -> None:
        """Say how far everybody is; cheap, to be called often."""
        if not self._jobs:
            return
        self._plan.recorder.restoring({number: job.restore.progress.to_go for number, job in self._jobs.items()})
        now = time.monotonic()
        for number, job in self._jobs.items():
            if now - job.told_at >= REPORT:
                job.told_at = now
                self._tell(number, job)

    async def close(self) -> None:
        """Abandon all."""
        await self.abandon(self.numbers)
        if self._prepared is not None:
            self._prepared.cancel()
            await asyncio.gather(self._prepared, return_exceptions=True)
        self._threads.shutdown(wait=False)

    def _tell(self, number: int, job: _Job) -> None:
        progress = job.restore.progress
        log.info(
            "shard restores",
            group=self._plan.group,
            shard=number,
            rows_read=progress.rows,
            to_go=progress.to_go,
            seconds=round(progress.seconds, 1),
            waits=progress.trouble or None,
        )

    # -- one shard

    async def _bring_up(self, restore: Restore) -> None:
        try:
            await self._read(restore)
            if not restore.final:
                await self._jobs[restore.number].fenced.wait()
                await self._read(restore)
            await self._prepare()
            while not self._released.is_set():
                await self._released.wait()
            self._opened(restore)
            del self._jobs[restore.number]
        except Abandoned:
            return
        except Exception:  # noqa: BLE001 whatever it is, a restart converges and partial state does not
            self._fatal(f"shard {restore.number} of {self._plan.group} cannot be opened:\n{traceback.format_exc()}")
        if not self._jobs:
            self._plan.recorder.restoring({})

    async def _read(self, restore: Restore) -> None:
        attempt = 0
        while True:
            before = restore.progress.rows
            try:
                with self._turns.sizing():
                    size = await self._in_thread(restore, restore.measure)
                async with self._turns.turn(size):
                    await self._in_thread(restore, restore.run)
            except _UNREADABLE as error:
                attempt = 0 if restore.progress.rows > before else attempt + 1
                await self._wait(restore, attempt, error)
            else:
                return

    async def _wait(self, restore: Restore, attempt: int, error: Exception) -> None:
        delay = 0.1 + backoff.delay(attempt, random.random(), cap=LONGEST_WAIT)
        restore.progress.trouble = str(error)
        self._plan.recorder.unreadable(restore.number)
        log.error(
            "shard waits: what it is restored from cannot be read; nothing is served from part of it",
            group=self._plan.group,
            shard=restore.number,
            error=str(error),
            attempt=attempt,
            again_in=round(delay, 1),
        )
        await asyncio.sleep(delay)

    async def _in_thread(self, restore: Restore, work: Callable[[], Any]) -> Any:
        job = self._jobs.get(restore.number)
        if job is None or job.restore is not restore:
            raise Abandoned(f"shard {restore.number} is not ours any more")
        job.thread = asyncio.get_running_loop().run_in_executor(self._threads, work)
        return await asyncio.shield(job.thread)

    async def _prepare(self) -> None:
        """What the role needs before its first shard, once; a failure is everybody's."""
        if self._plan.prepare is None:
            return
        if self._prepared is None:
            self._prepared = asyncio.create_task(_awaited(self._plan.prepare), name="prepare")
        await asyncio.shield(self._prepared)

    async def _end(self, job: _Job) -> None:
        job.restore.abandon()
        job.task.cancel()
        await asyncio.gather(job.task, return_exceptions=True)
        if job.thread is not None:
            await asyncio.gather(job.thread, return_exceptions=True)
        await asyncio.get_running_loop().run_in_executor(self._threads, job.restore.close)


async def _awaited(prepare: Callable[[], Awaitable[None]]) -> None:
    await prepare()
