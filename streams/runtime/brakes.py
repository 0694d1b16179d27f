"""The brake on floods of bad records at the edge: one error and one gauge per account, details once per window.

Nothing is lost by it and nothing waits: the records go to the dead letters as ever. Only the noise stops, so that one
broken source is one alert.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from connectors.kit.metrics import PIPELINE_BRAKED, Metrics
from streams.core.brake import Brake, Limits, Turn
from streams.core.ledger import Book, Counters

log = structlog.get_logger(__name__)


class Brakes:
    """The brake of one stage, shared by the shards of a process. `monotonic`: seconds."""

    def __init__(
        self,
        metrics: Metrics,
        stage: str,
        monotonic: Callable[[], float] = time.monotonic,
        limits: Limits | None = None,
    ) -> None:
        self._metrics = metrics
        self._stage = stage
        self._monotonic = monotonic
        self._limits = limits or Limits()
        self._brake = Brake(self._limits)
        self._advanced = monotonic()

    def counted(self, book: Book, account: str, increments: Counters) -> None:
        """Implements streams.core.ledger.Observer: what one batch did to an account's counters."""
        now = self._monotonic()
        self._advance(now)
        received, dead = increments.get("received", 0), increments.get("dead", 0)
        turn = self._brake.count(account, received, dead, now) if received else None
        if turn is Turn.TRIPPED:
            self._tripped(account)
        elif turn is Turn.RELEASED:
            self._released(account)

    def died(self, account: str, topic: str, partition: int, offset: int, reason: str, detail: str) -> None:
        """A record went to the dead letters. Of each account the first in a window is logged."""
        if self._brake.tells(account, self._monotonic()):
            log.warning(
                "a record is a dead letter; further ones of the account are not logged for a while",
                stage=self._stage,
                account=account,
                topic=topic,
                partition=partition,
                offset=offset,
                reason=reason,
                detail=detail,
            )

    def _advance(self, now: float) -> None:
        if now - self._advanced >= self._limits.window / 4:
            self._advanced = now
            for account in self._brake.advance(now):
                self._released(account)

    def _tripped(self, account: str) -> None:
        self._metrics.gauge(PIPELINE_BRAKED, self._stage, account).set(1)
        log.error(
            "most of what an account sends is dead; its records go to the dead letters unsaid, those of others go on",
            stage=self._stage,
            account=account,
            more_than=f"{self._limits.share:.0%} within {self._limits.window:.0f} s",
            next_command="sluice deadletters list",
        )

    def _released(self, account: str) -> None:
        self._metrics.gauge(PIPELINE_BRAKED, self._stage, account).set(0)
        log.info("an account sends good records again", stage=self._stage, account=account)
