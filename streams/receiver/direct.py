"""Plain deliveries past the web framework, which costs more than everything else a delivery needs (measured).

A connection starts here. What is plain, a POST with a Content-Length to an address that is known by heart, over a
connection that stays open, is parsed by llhttp (httptools), the parser that aiohttp uses too. At the first request
that is anything else the connection is handed over to aiohttp with that request's bytes untouched, and stays there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import cast

import httptools

from connectors.kit.errors import Refused
from connectors.kit.waiting import event_within
from streams.receiver.intake import STORED, Address, Busy, Intake, Reply, broken, slow

IDLE = 3630.0  # seconds a silent connection is kept: longer than any proxy before us does, as aiohttp
_LARGEST_HEAD = 16_384  # bytes; larger ones are aiohttp's to judge
_READ_AHEAD = 65_536  # bytes of later requests that are taken in while one is under way
_END = b"\r\n\r\n"
_ODD = ("transfer-encoding", "upgrade", "expect")


class Connections:
    """The open connections of one server that aiohttp has not got."""

    def __init__(self) -> None:
        self._open: set[Direct] = set()
        self._none = asyncio.Event()

    def add(self, connection: Direct) -> None:
        """It is open."""
        self._open.add(connection)

    def remove(self, connection: Direct) -> None:
        """It is closed, or another's."""
        self._open.discard(connection)
        if not self._open:
            self._none.set()

    async def finish(self, within: float) -> None:
        """Take nothing more, wait so many seconds for what is under way, close."""
        self._none.clear()
        for connection in [*self._open]:
            connection.finish()
        if self._open:
            await event_within(self._none, within)
        for connection in [*self._open]:
            connection.abort()


class Direct(asyncio.Protocol):
    """One connection: one delivery after the other, in order."""

    def __init__(self, connections: Connections, intake: Intake, addresses: Mapping[bytes, Address],
                 general: Callable[[], asyncio.Protocol]) -> None:  # fmt: skip
        self._connections = connections
        self._intake = intake
        self._addresses = addresses
        self._general = general
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._active = self._loop.time()
        self._closing = False
        self._paused = False
        self._busy = False  # between a whole delivery and its answer
        self._later = b""
        self._start()

    def _start(self) -> None:
        """Ready for the next request."""
        self._at: Address | None = None
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []
        self._missing = 0  # bytes of a body that is still to come
        self._parser = httptools.HttpRequestParser(self)

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        self._connections.add(self)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._connections.remove(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._missing:
            self._give_up(broken(exc))

    def data_received(self, data: bytes) -> None:
        if self._busy:
            self._later += data
            if len(self._later) > _READ_AHEAD:
                self._hold()
        else:
            self._go_on(data)

    def pause_writing(self) -> None:
        self._hold()

    def resume_writing(self) -> None:
        self._release()

    # -- llhttp's callbacks

    def on_url(self, url: bytes) -> None:
        self._at = self._addresses.get(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.setdefault(_name(name), value.decode("utf-8", "surrogateescape"))

    def on_body(self, _: bytes) -> None:
        self._at = None  # the head ended before we think it did: not plain

    # -- the way of a delivery

    def _go_on(self, data: bytes) -> None:
        while data and not self._busy and self._transport is not None and (self._missing or not self._closing):
            data = self._more_of_body(data) if self._missing else self._head(data)
        if self._busy:
            self._later = data

    def _head(self, data: bytes) -> bytes:
        """Take a request's head, and its body as far as it is there. Returns what follows."""
        end = data.find(_END) + len(_END)
        if not len(_END) <= end <= _LARGEST_HEAD or not self._plain(data[:end]):
            self._hand_over(data)
            return b""
        length = int(self._headers["content-length"])
        whole = end + length
        if len(data) >= whole:
            self._take(data[end:whole])
            return data[whole:]
        try:
            self._intake.enter()
        except Busy:
            self._hand_over(data)  # which refuses it, and closes what it does not read
            return b""
        self._parts.append(data[end:])
        self._missing = whole - len(data)
        self._watch(self._intake.limits.body_timeout)
        return b""

    def _plain(self, head: bytes) -> bool:
        """Whether the delivery is ours. Afterwards its address and headers are known."""
        try:
            self._parser.feed_data(head)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return False
        headers, at = self._headers, self._at
        if at is None or self._parser.get_method() != b"POST" or not self._parser.should_keep_alive():
            return False
        length = headers.get("content-length", "")
        if not length.isdecimal() or int(length) > at.largest_body:
            return False
        return not any(name in headers for name in _ODD)

    def _more_of_body(self, data: bytes) -> bytes:
        part, rest = data[: self._missing], data[self._missing :]
        self._parts.append(part)
        self._missing -= len(part)
        if not self._missing:
            self._intake.leave()
            self._watch()
            self._take(b"".join(self._parts))
        return rest

    def _take(self, body: bytes) -> None:
        assert self._at is not None
        self._busy = True
        self._intake.take(self._at, self._headers, body, self._answer)

    def _answer(self, reply: Reply) -> None:
        self._busy = False
        transport = self._transport
        if transport is None:  # the vendor has hung up and will deliver again
            return
        transport.write(_stored(int(time.time())) if reply is STORED else _written(reply, time.time()))
        if reply.close or self._closing:
            transport.close()
            return
        self._active = self._loop.time()
        self._start()
        if self._later:
            later, self._later = self._later, b""
            self._release()
            self._go_on(later)

    def _hand_over(self, data: bytes) -> None:
        """This connection is aiohttp's from now on."""
        transport, general = self._transport, self._general()
        assert transport is not None
        self._release()
        self.connection_lost(None)
        transport.set_protocol(general)
        general.connection_made(transport)
        general.data_received(data)

    # -- time and room

    def _watch(self, within: float = 0.0) -> None:
        """Look at the clock when the body, or without one the connection, has had its time."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(within or IDLE, self._overdue)

    def _overdue(self) -> None:
        if self._missing:
            self._give_up(slow(self._intake.limits))
        elif self._busy or self._loop.time() - self._active < IDLE:
            self._watch()
        elif self._transport is not None:
            self._transport.close()

    def _give_up(self, why: Refused) -> None:
        """The body will not come."""
        assert self._at is not None
        self._missing = 0
        self._intake.leave()
        self._answer(self._intake.refuse(self._at, why, self._loop.time() - self._active))

    def _hold(self) -> None:
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def _release(self) -> None:
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def finish(self) -> None:
        """Take nothing more; close at once, or with the answer that is under way."""
        self._closing = True
        if not self._busy and not self._missing and self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close now."""
        if self._transport is not None:
            self._transport.abort()


@lru_cache(maxsize=2)
def _stored(second: int) -> bytes:
    return _written(STORED, second)


def _written(reply: Reply, at: float) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}", f"Content-Length: {len(reply.body)}"]
    # An origin server with a clock sends a Date (RFC 9110, 6.6.1).
    lines.append(f"Date: {formatdate(at, usegmt=True)}")
    if reply.body:
        lines.append("Content-Type: application/json")
    if reply.retry_after is not None:
        lines.append(f"Retry-After: {reply.retry_after}")
    if reply.close:
        lines.append("Connection: close")
    return "\r\n".join(lines).encode() + _END + reply.body


@lru_cache(maxsize=1024)
def _name(name: bytes) -> str:
    return name.decode("latin-1").lower()
