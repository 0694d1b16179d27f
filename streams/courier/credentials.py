"""One account's credentials: its own secrets, and over them a token that is replaced before it ends.

Whoever needs a token waits for the one who asks for it. Nothing of a token is ever written down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from connectors.kit.contract import Account, Token
from streams.core import tokens
from streams.core.tokens import Held

Ask = Callable[[], Awaitable[Token | float]]


class Credentials:
    """`account` is what flows are given; it changes with every token. Without `needed` it never does."""

    def __init__(self, account: Account, *, needed: bool = False) -> None:
        self.account = account
        self.needed = needed
        self._held = Held()
        self._turn = asyncio.Lock()

    def good(self, now: float) -> bool:
        """Whether requests can be sent."""
        return not self.needed or self._held.good(now)

    def renew_at(self) -> float:
        """When the token is to be replaced, seconds UTC; at once when there is none."""
        return max(self._held.renew_at, self._held.not_before)

    def accepted(self, account: Account) -> None:
        """A request of this account's flows was answered."""
        if account is self.account:
            self._held = tokens.accepted(self._held)

    def refused(self, account: Account) -> bool:
        """A request was refused for its credentials. Returns whether the same again makes sense: there is, or will be,
        another token than it was sent with."""
        if not self.needed:
            return False
        if account is not self.account:
            return True
        self._held, hopeful = tokens.refused(self._held)
        return hopeful

    async def ready(self, now: Callable[[], float], ask: Ask) -> float:
        """Wait until there is a token. Returns 0, or when to come again (seconds UTC) because none is to be had.

        `ask` gets one, or says when to try again; only one asks at a time, and those behind take what it got.
        """
        if self.good(now()):
            return 0.0
        async with self._turn:
            if not self.good(now()):
                await self._ask(now, ask)
        return 0.0 if self.good(now()) else max(self._held.not_before, now())

    async def renew(self, now: Callable[[], float], ask: Ask) -> None:
        """Replace the token if it is time, and nobody does so already."""
        async with self._turn:
            if self.renew_at() <= now():
                await self._ask(now, ask)

    async def _ask(self, now: Callable[[], float], ask: Ask) -> None:
        if now() < self._held.not_before:
            return
        asked_at = now()
        got = await ask()
        if isinstance(got, Token):
            self._held = tokens.acquired(asked_at, got.lives_for)
            laid_over = {name: (value,) for name, value in got.secrets.items()}
            self.account = replace(self.account, secrets={**self.account.secrets, **laid_over})
        else:
            self._held = tokens.failed(self._held, got)
