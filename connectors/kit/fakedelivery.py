"""Sends a fake vendor's webhooks: repeated until answered 2xx, and as untidy as the options say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any, Protocol
from uuid import UUID

import aiohttp


class DeliveryOptions(Protocol):
    """Ratios in 0..1, times in seconds.

    `duplicates` of the deliveries are sent a second time under the same id; `disorder` of them are held back for up to
    `disorder_delay`; every one is late by up to `lateness`; `never` of them are never sent; unanswered ones are
    repeated up to `attempts` times with a backoff that starts at `retry_delay`.
    """

    webhook_url: str
    duplicates: float
    disorder: float
    disorder_delay: float
    lateness: float
    never: float
    attempts: int
    retry_delay: float
    max_in_flight: int


@dataclass
class Sent:
    """One delivery, for oracles. `answers`: HTTP status per attempt, 0 for none; `never`: withheld on purpose;
    `triggered_at`: on the vendor's clock, in its unit."""

    webhook_id: str
    topic: str
    resource_id: str | int
    triggered_at: int
    never: bool = False
    duplicate: bool = False
    answers: list[int] = field(default_factory=list)

    @property
    def accepted(self) -> bool:
        """Whether an attempt was answered 2xx: from then on it is the receiver's to keep."""
        return any(200 <= answer < 300 for answer in self.answers)


Headers = Callable[[], Mapping[str, str]]
Answered = Callable[[bool], None]


class Deliveries:
    """Sends in tasks of its own. `submit` decides everything random at once, so a seed gives one run.

    `timeout`: what the vendor gives an endpoint, seconds to connect and in all.
    """

    def __init__(self, options: DeliveryOptions, random: Random, timeout: aiohttp.ClientTimeout) -> None:
        self._options, self._random, self._timeout = options, random, timeout
        self._tasks: set[asyncio.Task[None]] = set()
        self._gate = asyncio.Semaphore(options.max_in_flight)
        self._session: aiohttp.ClientSession | None = None
        self.sent: list[Sent] = []

    async def start(self) -> None:
        """Open the connections."""
        self._session = aiohttp.ClientSession(timeout=self._timeout)

    async def stop(self) -> None:
        """Give up what is not delivered yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def settle(self) -> None:
        """Wait until everything submitted was delivered or given up."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    @property
    def pending(self) -> int:
        """Deliveries that are neither accepted nor given up."""
        return len(self._tasks)

    @property
    def wanted(self) -> bool:
        """Whether there is an address to send to and this was started."""
        return bool(self._options.webhook_url) and self.started

    @property
    def started(self) -> bool:
        """Whether anything can be sent."""
        return self._session is not None

    def uuid(self) -> str:
        """A random id."""
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def submit(
        self, first: Sent, headers: Headers, body: bytes, url: str = "", answered: Answered | None = None
    ) -> None:
        """Send one webhook. `headers` is called for every attempt, because a vendor may sign a time stamp; `url`: where
        to, instead of the address in the options; `answered`: told after every attempt whether it was accepted."""
        chance = self._random.random
        first.never, disorder = chance() < self._options.never, chance() < self._options.disorder
        delay = chance() * self._options.lateness + (chance() * self._options.disorder_delay if disorder else 0.0)
        repeat, repeat_delay = chance() < self._options.duplicates, chance() * self._options.disorder_delay
        self.sent.append(first)
        if first.never:
            return
        self._spawn(self._deliver(first, headers, body, delay, url, answered))
        if repeat:
            again = Sent(first.webhook_id, first.topic, first.resource_id, first.triggered_at, duplicate=True)
            self.sent.append(again)
            self._spawn(self._deliver(again, headers, body, delay + repeat_delay, url, answered))

    def _spawn(self, delivery: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(delivery)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(
        self, sent: Sent, headers: Headers, body: bytes, delay: float, url: str, answered: Answered | None
    ) -> None:
        if delay:
            await asyncio.sleep(delay)
        for attempt in range(self._options.attempts):
            async with self._gate:
                sent.answers.append(await self._post(url or self._options.webhook_url, headers(), body))
            if answered is not None:
                answered(sent.accepted)
            if sent.accepted:
                return
            await asyncio.sleep(self._options.retry_delay * min(2**attempt, 32))

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        assert self._session is not None
        with suppress(aiohttp.ClientError, TimeoutError):
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                return response.status
        return 0

    def report(self) -> list[dict[str, Any]]:
        """Every delivery as JSON."""
        return [{**asdict(sent), "accepted": sent.accepted} for sent in self.sent]

    def numbers(self) -> dict[str, int]:
        """All deliveries in numbers."""
        return {
            "submitted": len(self.sent),
            "never": sum(one.never for one in self.sent),
            "duplicates": sum(one.duplicate for one in self.sent),
            "accepted": sum(one.accepted for one in self.sent),
            "attempts": sum(len(one.answers) for one in self.sent),
            "pending": self.pending,
        }
