"""What a fake shop can be told, at start and while it runs."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.kit.fakeshop import Tunable, UnknownOption

__all__ = ["Options", "UnknownOption"]


@dataclass
class Options(Tunable):
    """Ratios are in 0..1, times in seconds. All randomness comes from one seeded source.

    `rate`, `burst`: requests per second and at once that the host lets through, 0 for no limit; `rival`: requests per
    second that somebody else takes of it. `lost_replies` of the writes are carried out and then the connection is
    dropped; `server_errors` of them are answered 5xx and not carried out; `outage` answers 503 to everything;
    `notices` of the replies have a PHP notice in front of their body; `webservice`: whether the merchant has it
    switched on; `clock_skew`: how far the shop's clock is ahead of the clock it was given.
    """

    seed: int = 1
    key: str = "FAKEPRESTASHOPWEBSERVICEKEY00001"
    currency: str = "EUR"
    timezone: str = "Europe/Paris"
    languages: int = 1
    location: str = "MAIN"  # code under which state and journal name the shop's one stock
    webservice: bool = True
    clock_skew: float = 0.0

    rate: float = 0.0
    burst: float = 20.0
    rival: float = 0.0

    latency: float = 0.0
    jitter: float = 0.0
    lost_replies: float = 0.0
    server_errors: float = 0.0
    notices: float = 0.0
    outage: bool = False
