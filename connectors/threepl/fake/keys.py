"""Idempotency keys of a fake API: the first reply again for the same request, a refusal for another one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from connectors.kit.clock import Clock
from connectors.threepl.fake.options import Options


@dataclass(frozen=True)
class _Kept:
    request: bytes
    status: int
    body: bytes
    etag: str
    until: float


class Keys:
    """What was answered under each key, for as long as the options say."""

    def __init__(self, options: Options, clock: Clock) -> None:
        self._options, self._clock = options, clock
        self._kept: dict[str, _Kept] = {}
        self._running: set[str] = set()

    def first_reply(self, key: str, request: bytes) -> tuple[int, bytes, str] | None:
        """Status, body and ETag as they were answered; None for a key that is not known. Raises ValueError when the key
        was used for another request."""
        kept = self._kept.get(key)
        if kept is None or kept.until <= self._clock.monotonic():
            return None
        if kept.request != request:
            raise ValueError(f"key {key!r} was used for another request")
        return kept.status, kept.body, kept.etag

    def keep(self, key: str, request: bytes, status: int, body: bytes, etag: str) -> None:
        """Remember a reply. A refusal did nothing and is not remembered: the same request may be good later."""
        self._kept[key] = _Kept(request, status, body, etag, self._clock.monotonic() + self._options.key_retention)

    @contextmanager
    def running(self, key: str) -> Iterator[bool]:
        """Hold a key while its request is carried out; False when another request with it is running. Requests without
        a key hold nothing."""
        if not key or key in self._running:
            yield not key
            return
        self._running.add(key)
        try:
            yield True
        finally:
            self._running.discard(key)
