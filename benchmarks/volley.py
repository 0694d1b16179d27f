"""The load generator of W1, a process of its own: keep-alive connections, each with one request under way.

`python -m benchmarks.volley PORT CONNECTIONS FIRST COUNT WARM_UP` prints `ready` when everything is signed, and for
each line it then reads (first the warm-up, then the rest) one line of JSON: statuses, seconds, milliseconds.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import cast

import click
import orjson
import uvloop

from benchmarks.deliveries import Delivery, signed

PATIENCE = 600.0  # seconds for all answers
_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length:"


class Connection(asyncio.Protocol):
    """Sends a delivery, waits for its answer, sends the next, until there are none."""

    def __init__(self, deliveries: Iterator[Delivery], statuses: Counter[str], latencies: list[float]) -> None:
        self._deliveries = deliveries
        self._statuses = statuses
        self._latencies = latencies
        self._transport: asyncio.Transport | None = None
        self._sent = 0.0
        self._answer = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._next()

    def data_received(self, data: bytes) -> None:
        answer = self._answer = self._answer + data
        if not _whole(answer):
            return
        self._answer = b""
        self._latencies.append(time.perf_counter() - self._sent)
        self._statuses[answer[9:12].decode()] += 1
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self._statuses["cut off"] += 1
            self.done.set_result(None)

    def _next(self) -> None:
        assert self._transport is not None
        delivery = next(self._deliveries, None)
        if delivery is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(delivery.request())


def _whole(answer: bytes) -> bool:
    """Whether head and body of an answer are there."""
    end = answer.find(_END_OF_HEAD)
    if end < 0:
        return False
    head = answer[: end + 2].lower()
    at = head.find(_LENGTH)
    length = int(head[at + len(_LENGTH) : head.index(b"\r\n", at)]) if at >= 0 else 0
    return len(answer) >= end + len(_END_OF_HEAD) + length


async def fire(port: int, connections: int, deliveries: Sequence[Delivery]) -> dict[str, object]:
    """Send all of them over so many connections. Latencies in milliseconds, from writing to the whole answer."""
    statuses, latencies, left = Counter[str](), list[float](), iter(deliveries)
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    opened = [
        await loop.create_connection(lambda: Connection(left, statuses, latencies), "127.0.0.1", port)
        for _ in range(min(connections, len(deliveries)))
    ]
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(protocol.done for _, protocol in opened))
    seconds = time.perf_counter() - began
    latencies.sort()
    return {
        "statuses": dict(statuses),
        "seconds": seconds,
        "p50_ms": _percentile(latencies, 0.50),
        "p99_ms": _percentile(latencies, 0.99),
    }


def _percentile(ascending: Sequence[float], share: float) -> float:
    return round(ascending[min(len(ascending) - 1, int(len(ascending) * share))] * 1e3, 2) if ascending else 0.0


@click.command()
@click.argument("port", type=int)
@click.argument("connections", type=int)
@click.argument("first", type=int)
@click.argument("count", type=int)
@click.argument("warm_up", type=int)
def main(port: int, connections: int, first: int, count: int, warm_up: int) -> None:
    """Sign COUNT deliveries from number FIRST on; send WARM_UP of them at the first line read, the rest at the next."""
    deliveries = [signed(number) for number in range(first, first + count)]
    _say({"ready": len(deliveries)})
    for part in (deliveries[:warm_up], deliveries[warm_up:]):
        sys.stdin.readline()
        _say(uvloop.run(fire(port, connections, part)))


def _say(what: dict[str, object]) -> None:
    sys.stdout.write(orjson.dumps(what).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
