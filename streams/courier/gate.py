"""Who may read at an account at the same time: single records together, a page alone.

Where a record has no usable time, the order of reads is its clock. Two overlapping reads of one record have no order;
fetches of one record are one row and never overlap, so only pages have to be kept apart from fetches.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class ReadGate:
    """Shared and exclusive access for one account; whoever asks for exclusive access goes before later sharers."""

    def __init__(self) -> None:
        self._door = asyncio.Lock()
        self._sharers = 0
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def closed(self) -> bool:
        """Whether a sharer would have to wait."""
        return self._door.locked()

    @property
    def in_use(self) -> bool:
        """Whether exclusive access would have to be waited for."""
        return self._door.locked() or self._sharers > 0

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        """Together with other sharers."""
        async with self._door:
            self._sharers += 1
            self._empty.clear()
        try:
            yield
        finally:
            self._sharers -= 1
            if self._sharers == 0:
                self._empty.set()

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Alone."""
        async with self._door:
            await self._empty.wait()
            yield
