"""POST /webhooks/{platform}/{tenant}/{account} as aiohttp serves it: any request that HTTP allows.

Plain deliveries never come here; direct.py takes them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from aiohttp import web

from connectors.kit.errors import Refused, TooLarge, UnknownRoute
from streams.receiver.intake import Address, Busy, Intake, Reply, broken, refusal, slow

ROUTE = "/webhooks/{platform}/{tenant}/{account}"


class Receiver:
    """The routes of one process."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def application(self, more: Sequence[web.RouteDef] = ()) -> web.Application:
        """The aiohttp application; `more` are further routes (health, metrics)."""
        app = web.Application()
        app.router.add_post(ROUTE, self.handle)
        app.add_routes(more)
        return app

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One delivery."""
        names = request.match_info
        try:
            at = self._intake.address(names["platform"], names["tenant"], names["account"])
        except UnknownRoute as refused:
            return _response(refusal(refused))
        began = time.perf_counter()
        try:
            body = await self._arrived(request, at)
        except (Refused, Busy) as error:
            return _response(self._intake.refuse(at, error, time.perf_counter() - began))
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        headers = {name.lower(): value for name, value in reversed([*request.headers.items()])}
        self._intake.take(at, headers, body, lambda said: None if reply.done() else reply.set_result(said))
        return _response(await reply)

    async def _arrived(self, request: web.Request, at: Address) -> bytes:
        """The body. Raises TooLarge, SlowBody, BrokenBody or Busy."""
        length = request.content_length
        if length is not None:
            _within(length, at.largest_body)
        self._intake.enter()
        try:
            async with asyncio.timeout(self._intake.limits.body_timeout):
                return await _read(request, at.largest_body)
        except (web.RequestPayloadError, ConnectionError) as error:
            raise broken(error) from error
        except TimeoutError:
            raise slow(self._intake.limits) from None
        finally:
            self._intake.leave()


async def _read(request: web.Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        _within(len(body), limit)
    return bytes(body)


def _within(size: int, limit: int) -> None:
    if size > limit:
        raise TooLarge(f"a body of {size} bytes; the limit is {limit}")


def _response(reply: Reply) -> web.Response:
    more = {} if reply.retry_after is None else {"Retry-After": str(reply.retry_after)}
    kind = "application/json" if reply.body else None
    response = web.Response(status=reply.status, body=reply.body, content_type=kind, headers=more)
    if reply.close:
        response.force_close()
    return response
