"""The answer to nearly every delivery, written as it stands.

aiohttp's general response costs a tenth of the receiver's CPU per delivery (measured): headers are built, joined and
checked anew for an answer that only ever differs in its date.
"""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter


class Stored(web.StreamResponse):
    """200 without a body over a connection that stays open. Has no state: one serves all requests."""

    @property
    def keep_alive(self) -> bool:
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        if request.transport is not None:  # None: the vendor has hung up and will deliver again
            request.transport.write(_answer(int(time.time())))
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return


@lru_cache(maxsize=2)
def _answer(second: int) -> bytes:
    # An origin server with a clock sends a Date (RFC 9110, 6.6.1).
    return f"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: {formatdate(second, usegmt=True)}\r\n\r\n".encode()


_STORED = Stored()


def stored(request: web.BaseRequest) -> web.StreamResponse:
    """What a stored delivery is answered with."""
    plain = request.version == HttpVersion11 and request.keep_alive
    return _STORED if plain else web.Response()
