"""The webhook subscriptions that an app made through the API, and their removal when deliveries keep failing.

Source: shopify.dev, webhooks/delivery: after eight consecutive failures a subscription that was made through the Admin
API is deleted; those of the app's configuration file stay (`Options.webhook_url` here), and the API does not list them.
"""

from __future__ import annotations

from dataclasses import dataclass

from connectors.kit.clock import Clock
from connectors.shopify.fake.options import Options


@dataclass
class Subscription:
    """One topic, e.g. orders/create, and where it is sent. `failures`: attempts since the last one answered 2xx."""

    id: int
    topic: str
    uri: str
    created_at: int
    failures: int = 0


class Subscriptions:
    """All of one app at one shop. `removed`: how many the shop gave up."""

    def __init__(self, options: Options, clock: Clock) -> None:
        self._options, self._clock = options, clock
        self._held: dict[int, Subscription] = {}
        self._last_id = 0
        self.removed = 0

    def all(self) -> list[Subscription]:
        """In the order they were made."""
        return list(self._held.values())

    def of(self, topic: str) -> list[Subscription]:
        """Those that are told of a topic."""
        return [one for one in self._held.values() if one.topic == topic]

    def create(self, topic: str, uri: str) -> Subscription | None:
        """A new one; None where the address has the topic already."""
        if any(one.uri == uri for one in self.of(topic)):
            return None
        self._last_id += 1
        made = self._held[self._last_id] = Subscription(self._last_id, topic, uri, self._clock.now())
        return made

    def remove(self, topic: str) -> None:
        """Somebody takes the topic's subscriptions away."""
        for one in self.of(topic):
            del self._held[one.id]

    def answered(self, one: Subscription, *, accepted: bool) -> None:
        """A delivery was answered, or nobody was there."""
        one.failures = 0 if accepted else one.failures + 1
        if one.failures >= self._options.removal_after and self._held.pop(one.id, None) is not None:
            self.removed += 1
