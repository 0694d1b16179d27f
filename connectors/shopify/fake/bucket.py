"""The shop's leaky bucket of cost points, and what an oracle wants to know of it.

Source of the model: shopify.dev, graphql-admin/rate-limits: the requested cost is charged first, what was not used is
given back, and a request that asks for more than there is gets nothing charged.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from connectors.kit.clock import Clock
from connectors.shopify.fake.options import Options


@dataclass
class BucketStats:
    """`refill` is what the bucket could have given since the start (its first level plus the refill that no rival
    took): accepted_cost / refill is the utilisation. `spilled` of it ran over because nobody took it in time."""

    accepted: int = 0
    accepted_cost: float = 0.0
    throttled: int = 0
    refused_cost: float = 0.0
    low_water: float = 0.0
    refill: float = 0.0
    spilled: float = 0.0


class Bucket:
    """Size, restore rate and rival are read from the options at every step, so a quota can change while it runs."""

    def __init__(self, options: Options, clock: Clock) -> None:
        self._options, self._clock = options, clock
        self._level, self._at = options.bucket, clock.monotonic()
        self.stats = BucketStats(low_water=options.bucket, refill=options.bucket)

    @property
    def level(self) -> float:
        """Points that may be spent now."""
        now = self._clock.monotonic()
        gained = (self._options.restore_rate - self._options.rival) * (now - self._at)
        self._at = now
        filled = max(0.0, self._level + gained)
        self._level = min(self._options.bucket, filled)
        self.stats.refill += max(0.0, gained)
        self.stats.spilled += max(0.0, filled - self._options.bucket)
        return self._level

    def take(self, cost: float) -> bool:
        """Charge `cost`, or refuse and charge nothing."""
        if self.level < cost:
            self.stats.throttled += 1
            self.stats.refused_cost += cost
            return False
        self._level -= cost
        self.stats.accepted += 1
        self.stats.accepted_cost += cost
        self.stats.low_water = min(self.stats.low_water, self._level)
        return True

    def give_back(self, cost: float) -> None:
        """Return what a request asked for and did not use."""
        self._level = min(self._options.bucket, self.level + cost)
        self.stats.accepted_cost -= cost

    def wait(self, cost: float) -> float:
        """Seconds until `cost` can be charged, if nobody else takes any."""
        rate = self._options.restore_rate
        return max(0.0, cost - self.level) / rate if rate > 0 else 3600.0

    def throttle_status(self) -> dict[str, float]:
        """As the vendor reports it: the advertised restore rate, whatever rivals take."""
        return {
            "maximumAvailable": self._options.bucket,
            "currentlyAvailable": int(self.level),
            "restoreRate": self._options.restore_rate,
        }

    def report(self) -> dict[str, float]:
        """The statistics and the level as JSON."""
        return {"level": self.level, **asdict(self.stats)}
