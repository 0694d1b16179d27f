"""What a fake warehouse can be told, at start and while it runs."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.kit.fakeshop import Tunable, UnknownOption

__all__ = ["Options", "UnknownOption"]


@dataclass
class Options(Tunable):
    """Ratios are in 0..1, times in seconds. All randomness comes from one seeded source.

    API: `key_retention`: how long the key of a write is known; `unique_references`: whether a second order with a
    reference is refused; `index_lag`: how late an order is in the list by reference; `page_limit`: the most rows of a
    page; `cursor_life`: how long a cursor is known. `rate`, `burst`: requests per second and at once, 0 for no limit;
    `rival`: requests per second that somebody else takes; `hide_limit`: say nothing of the limit in the headers.
    Faults: `lost_replies` of the writes are carried out and then the connection is dropped; `server_errors` of the
    requests are answered 5xx and not carried out; `outage` answers 503 to everything; a request takes `latency` and
    up to `jitter`, a write `commit_delay` more, before it is carried out, also when its sender has given up meanwhile.
    Webhooks: see `connectors.kit.fakedelivery`. Work: an order is packed, shipped and delivered by itself, a step
    every `work_after` seconds; 0 leaves it to edits.
    """

    seed: int = 1
    api_token: str = "fake-warehouse-token"
    webhook_secret: str = "fake-warehouse-secret"
    webhook_url: str = ""
    site: str = "HAM1"
    work_after: float = 0.0

    key_retention: float = 86_400.0
    unique_references: bool = False
    index_lag: float = 0.0
    page_limit: int = 100
    cursor_life: float = 600.0

    rate: float = 0.0
    burst: float = 20.0
    rival: float = 0.0
    hide_limit: bool = False

    latency: float = 0.0
    jitter: float = 0.0
    commit_delay: float = 0.0
    lost_replies: float = 0.0
    server_errors: float = 0.0
    outage: bool = False

    duplicates: float = 0.0
    disorder: float = 0.0
    disorder_delay: float = 1.0
    lateness: float = 0.0
    never: float = 0.0
    attempts: int = 9
    retry_delay: float = 0.2
    max_in_flight: int = 32
