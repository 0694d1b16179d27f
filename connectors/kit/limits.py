"""The catalogue of vendors' limits: what their documents say, where, and when it was read. Pure.

A catalogue is a record of promises, not a setting: what paces a bucket is what the API reports or what the account's
settings say. It is there to be compared with both (`sluice quota audit`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How a limit counts."""

    REFILL = "refill"  # a bucket that refills all the time: `amount` per `seconds`
    WINDOW = "window"  # `amount` in each window of `seconds`, then it begins anew
    REQUEST = "request"  # `amount` in any one request
    NONE = "none"  # the vendor documents none


@dataclass(frozen=True, slots=True)
class Limit:
    """One documented limit.

    `endpoints`: the Request.endpoint values it covers, none for an API that Sluice does not call; `plan`: the vendor's
    price plan, empty for all; `scope`: what shares one bucket; `signals`: what replies say of it; `as_of`: day or
    month, in ISO form, as of which `source` was read.
    """

    api: str
    kind: Kind
    amount: float
    unit: str
    seconds: float
    scope: str
    signals: str
    source: str
    as_of: str
    plan: str = ""
    endpoints: tuple[str, ...] = ()
    note: str = ""

    @property
    def per_second(self) -> float | None:
        """Units per second that can be spent for ever; None where that is not what the limit says."""
        return self.amount / self.seconds if self.kind in (Kind.REFILL, Kind.WINDOW) else None

    def covers(self, endpoint: str) -> bool:
        """Whether requests to this endpoint count against it. An entry that ends in * covers what begins like it."""
        return any(endpoint.startswith(one[:-1]) if one.endswith("*") else endpoint == one for one in self.endpoints)
