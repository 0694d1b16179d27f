"""Waiting for an event, but not for ever."""

from __future__ import annotations

import asyncio
import contextlib


async def event_within(event: asyncio.Event, seconds: float) -> None:
    """Return when the event is set or so many seconds have passed, whichever comes first.

    Not asyncio.wait_for: in Python 3.11 it loses a cancellation that comes in the turn in which the event is set.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
