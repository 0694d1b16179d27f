"""One listening socket: connections begin with the direct protocol, and aiohttp serves what that does not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

from aiohttp import web

from streams.receiver.app import Receiver
from streams.receiver.direct import Connections, Direct
from streams.receiver.intake import Intake


class HttpServer:
    """`more`: further routes (health, metrics); `drain`: seconds that open deliveries are waited for at the end."""

    def __init__(self, intake: Intake, more: Sequence[web.RouteDef] = (), drain: float = 5.0) -> None:
        self._intake = intake
        self._drain = drain
        self._addresses = intake.addresses()
        self._direct = Connections()
        self._server: asyncio.Server | None = None
        self._runner = web.AppRunner(
            Receiver(intake).application(more),
            access_log=None,
            handle_signals=False,
            shutdown_timeout=drain,
            auto_decompress=False,  # what was signed is what was sent, and a small body must not become a large one
        )

    async def start(self, listener: socket.socket) -> None:
        """Accept connections."""
        await self._runner.setup()
        self._server = await asyncio.get_running_loop().create_server(self._protocol, sock=listener)

    async def stop(self) -> None:
        """Accept nothing more, let open deliveries end, close."""
        if self._server is not None:
            self._server.close()
        await asyncio.gather(self._direct.finish(self._drain), self._runner.cleanup())

    def _protocol(self) -> Direct:
        general = self._runner.server
        assert general is not None
        return Direct(self._direct, self._intake, self._addresses, general)
