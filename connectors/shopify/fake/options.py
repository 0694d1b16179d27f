"""What a fake shop can be told, at start and while it runs."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.kit.fakeshop import Tunable, UnknownOption

__all__ = ["Options", "UnknownOption"]


@dataclass
class Options(Tunable):
    """Ratios are in 0..1, times in seconds, quotas in cost points. All randomness comes from one seeded source.

    Webhooks: `duplicates` of the deliveries are sent a second time with the same webhook id; `disorder` of them are
    held back for up to `disorder_delay`; every one is late by up to `lateness`; `never` of them are never sent;
    unanswered ones are repeated up to `attempts` times with a backoff that starts at `retry_delay`.
    API: `lost_replies` of the requests are carried out and then the connection is dropped; `server_errors` of them
    are answered 5xx and not carried out; `outage` answers 503 to everything; `rival` points per second are taken by
    another app; throttled requests are answered in HTTP 200, or with 429 and Retry-After when `throttle_with_429`.
    Tokens that were asked for with client id and secret live for `token_life`; the fixed `access_token` is good for
    ever unless `refuse_fixed_token`.
    Subscriptions made through the API are deleted after `removal_after` failed attempts in a row.
    """

    seed: int = 1
    shop_domain: str = "sluice-fake.myshopify.com"
    access_token: str = "shpat_fake"
    refuse_fixed_token: bool = False
    client_id: str = "fake-client"
    client_secret: str = "fake-client-secret"
    token_life: float = 86_400.0
    webhook_secret: str = "fake-webhook-secret"
    webhook_url: str = ""
    currency: str = "EUR"
    taxes_included: bool = True
    utc_offset: int = 60  # minutes: the shop's zone, in which webhook times are written

    duplicates: float = 0.0
    disorder: float = 0.0
    disorder_delay: float = 1.0
    lateness: float = 0.0
    never: float = 0.0
    attempts: int = 9
    retry_delay: float = 0.2
    removal_after: int = 8
    max_in_flight: int = 32

    bucket: float = 2000.0
    restore_rate: float = 100.0
    rival: float = 0.0
    max_query_cost: float = 1000.0
    throttle_with_429: bool = False
    hide_throttle_status: bool = False

    latency: float = 0.0
    jitter: float = 0.0
    lost_replies: float = 0.0
    server_errors: float = 0.0
    outage: bool = False
    index_lag: float = 0.0  # how late the search index behind `query:` is
