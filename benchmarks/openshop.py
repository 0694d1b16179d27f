"""`python -m benchmarks.openshop PORT`: shops without a quota behind one port, cheap enough not to be measured.

Each account has a base URL of its own, `/<account>`. Reads find nothing, prices are set and noted. A shop can be told
to be `away` (503), to `hang` (it takes requests and never answers) or to be `strict` (429, one second of Retry-After).

    GET  /_journal   [[account, x-request-id, microseconds UTC], ...] of accepted writes
    GET  /_calls     requests by account
    POST /_mood      {"<account>": "away"}
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter

import httptools
import orjson

_COST = {
    "requestedQueryCost": 10,
    "actualQueryCost": 10,
    "throttleStatus": {"maximumAvailable": 9e8, "currentlyAvailable": 9e8, "restoreRate": 9e8},
}
_SET = "productVariantsBulkUpdate"
_NOTHING = {"location": {"inventoryLevels": {"nodes": [], "pageInfo": {"hasNextPage": False}}}}
_READ = orjson.dumps({"data": _NOTHING, "extensions": {"cost": _COST}})


class Shops:
    """What they were asked and told."""

    def __init__(self) -> None:
        self.journal: list[tuple[str, str, int]] = []
        self.calls: Counter[str] = Counter()
        self.moods: dict[str, str] = {}

    def answer(self, path: str, headers: dict[bytes, bytes], body: bytes) -> bytes | None:
        """A whole reply; None when there is none."""
        account = path.split("/", 2)[1]
        if account.startswith("_"):
            return self._backstage(account, body)
        self.calls[account] += 1
        match self.moods.get(account):
            case "hang":
                return None
            case "away":
                return _reply(b"{}", b"503 Service Unavailable")
            case "strict":
                return _reply(b"{}", b"429 Too Many Requests\r\nretry-after: 1.0")
        if _SET.encode() not in body:
            return _reply(_READ)
        self.journal.append((account, headers.get(b"x-request-id", b"").decode(), time.time_ns() // 1000))
        variants = orjson.loads(body)["variables"]["variants"]
        said = {_SET: {"productVariants": variants, "userErrors": []}}
        return _reply(orjson.dumps({"data": said, "extensions": {"cost": _COST}}))

    def _backstage(self, name: str, body: bytes) -> bytes:
        if name == "_mood":
            self.moods.update(orjson.loads(body))
        return _reply(orjson.dumps(self.journal if name == "_journal" else dict(self.calls)))


def _reply(body: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body)


class Connection(asyncio.Protocol):
    """One keep-alive connection; its requests come one after the other."""

    def __init__(self, shops: Shops) -> None:
        self._shops = shops
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        """Called by the parser, as the rest."""
        self._path, self._body, self._headers = b"", b"", dict[bytes, bytes]()

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        self._path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """Answer."""
        found = self._shops.answer(self._path.decode(), self._headers, self._body)
        if found is not None and self._transport is not None:
            self._transport.write(found)


async def _serve(port: int) -> None:
    shops = Shops()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(shops), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
