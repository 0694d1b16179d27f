"""The metric catalogue: every metric with its meaning and what to do about it, in one typed place.

`docs/metrics.md`, dashboards and alert rules are made from or checked against it. Names are
`sluice_<role>_<noun>_<unit>`; labels are bounded by the configuration, never by the data (no entity ids).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import prometheus_client as prometheus
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics import MetricWrapperBase

Wrapper = TypeVar("Wrapper", prometheus.Counter, prometheus.Gauge, prometheus.Histogram)

LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds
LONG_TIMES = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)  # seconds


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `doc`: what it counts and in which unit; `remedy`: what to look at when it is wrong."""

    name: str
    labels: tuple[str, ...]
    doc: str
    remedy: str

    @property
    def kind(self) -> str:
        """counter, gauge or histogram."""
        return type(self).__name__.lower()


@dataclass(frozen=True, slots=True)
class Counter(Metric):
    """Only grows; starts at 0 with the process."""


@dataclass(frozen=True, slots=True)
class Gauge(Metric):
    """Goes up and down."""


@dataclass(frozen=True, slots=True)
class Histogram(Metric):
    """A distribution. `buckets`: upper bounds, ascending."""

    buckets: tuple[float, ...] = LATENCIES


RECEIVER_REQUESTS = Counter(
    "sluice_receiver_requests_total",
    ("platform", "outcome"),
    "Webhook requests by outcome: accepted, bad_signature, unknown_route, too_large, overloaded, unavailable.",
    "bad_signature: compare the account's secret with the vendor's. overloaded, unavailable: look at the broker.",
)
RECEIVER_DELIVERY_SECONDS = Histogram(
    "sluice_receiver_delivery_seconds",
    ("platform",),
    "Request received to record acknowledged by all in-sync replicas.",
    "Vendors give up after about 5 s: above 1 s look at broker latency and at the queue.",
)
RECEIVER_QUEUE_RECORDS = Gauge(
    "sluice_receiver_queue_records",
    (),
    "Records accepted and not yet acknowledged by the broker.",
    "Near the limit requests are answered 503: the broker is slow or away.",
)
MAPPER_RECORDS = Counter(
    "sluice_mapper_records_total",
    ("platform", "outcome"),
    "Raw records by outcome: mapped, ignored, fetch, dead.",
    "dead: `sluice deadletters list` shows them; ignored: a topic is subscribed that nobody maps.",
)
MAPPER_EVENTS = Counter(
    "sluice_mapper_events_total",
    ("platform", "type"),
    "Canonical events made from raw records.",
    "0 while records arrive: the mapping ignores or refuses all of them.",
)
RESOLVER_EVENTS = Counter(
    "sluice_resolver_events_total",
    ("account", "outcome"),
    "Events by the account they are from and their outcome: won, superseded, duplicate, unchanged, late, dead, "
    "quarantined.",
    "late or superseded rising: a source's clock or ordering has changed; see the decisions of one entity.",
)
RESOLVER_HELD_EVENTS = Gauge(
    "sluice_resolver_held_events",
    ("shard",),
    "Events held for their source order.",
    "Growing: a watermark stands still or a contiguous source has a gap.",
)
SHARD_TRANSACTIONS = Counter(
    "sluice_shard_transactions_total",
    ("role", "outcome"),
    "Kafka transactions by outcome: committed, aborted.",
    "aborted: the process was fenced or the broker failed; it has restarted, look at its last log line.",
)
SHARD_COMMIT_SECONDS = Histogram(
    "sluice_shard_commit_seconds",
    ("role",),
    "Begin of the commit to the broker's answer.",
    "Above the commit interval: transaction coordinator or replication is slow.",
)
SHARD_RESTORE_SECONDS = Histogram(
    "sluice_shard_restore_seconds",
    ("role",),
    "Shard assigned to shard serving.",
    "Long after a lost volume is normal; long after an ordinary restart: local stores are not kept.",
    LONG_TIMES,
)
SHARD_RESTORING = Gauge(
    "sluice_shard_restoring_shards",
    ("role",),
    "Shards of this process that are assigned and not open yet.",
    "Not falling: see the rows still to be read and the log; the shards that are open work meanwhile.",
)
SHARD_RESTORE_TO_GO = Gauge(
    "sluice_shard_restore_to_go_records",
    ("role", "shard"),
    "Records of changelog and seen ids that a restoring shard has still to read, at most; 0 when it is open.",
    "Standing still: the broker is away or the changelog cannot be read; /readyz and the log say why.",
)
SHARD_UNREADABLE = Counter(
    "sluice_shard_unreadable_total",
    ("role",),
    "Attempts to restore a shard that failed because its changelog or its offsets could not be read.",
    "The shard waits and asks again, the state is not served in part: /readyz and the log say what the broker answers.",
)
SHARD_SKIPPED = Counter(
    "sluice_shard_skipped_records_total",
    ("role", "topic"),
    "Input records deleted before they were read, at least; skipped because SLUICE_OFFSETS_LOST is skip.",
    "The role stood still for longer than the topic's retention. The log names the offsets: read the sources anew.",
)
SHARD_RESTORE_ROWS = Counter(
    "sluice_shard_restore_rows_total",
    ("role",),
    "Changelog rows read to restore shards.",
    "High after an ordinary restart: local stores are not kept; check the volume.",
)
COURIER_CALLS = Counter(
    "sluice_courier_calls_total",
    ("platform", "account", "outcome"),
    "Requests to vendors by outcome: success, throttled, retry, auth, conflict, invalid, gone, unknown.",
    "auth: renew the credentials. unknown: the vendor drops replies; writes are verified before they are repeated.",
)
COURIER_CALL_SECONDS = Histogram(
    "sluice_courier_call_seconds",
    ("platform", "operation"),
    "Request sent to reply read.",
    "The vendor is slow; lanes wait longer, nothing is lost.",
)
COURIER_THROTTLED = Counter(
    "sluice_courier_throttled_total",
    ("platform", "account"),
    "Requests refused for their rate.",
    "Should be 0 in steady state: compare level and refill; an unknown rival or a cut quota shows there.",
)
COURIER_COST = Counter(
    "sluice_courier_cost_units_total",
    ("platform", "account", "purpose"),
    "Units of the account's bucket that requests were charged, by purpose: set, command, verify, fetch, poll, other.",
    "Over 80 % of the refill for long: `sluice quota` shows by whom; poll less often, or ask the vendor for more.",
)
COURIER_MALFORMED = Counter(
    "sluice_courier_malformed_headers_total",
    ("platform", "account"),
    "Reply headers that spoke of quotas and made no sense; they were ignored.",
    "The vendor, or a proxy before it, has changed: pacing goes by the configured budget until the headers are mended.",
)
COURIER_PUSHES = Counter(
    "sluice_courier_pushes_total",
    ("platform", "account", "outcome"),
    "Work finished by outcome: applied, no_op, filtered, parked, dead, rerouted (to another account). What was "
    "coalesced stands in the ledger.",
    "parked or dead: `sluice explain` one of its entities, mend the cause, redrive.",
)
COURIER_TASKS = Gauge(
    "sluice_courier_tasks",
    ("platform", "account", "status"),
    "pending: pieces of work that wait or are under way, polls included. stopped: 1 while all work of the account "
    "waits for credentials or for a vendor that is away.",
    "pending growing while level is high: the account is paused or its breaker is open.",
)
COURIER_BUCKET_LEVEL = Gauge(
    "sluice_courier_bucket_level_units",
    ("platform", "account"),
    "Units left in the account's bucket after the last request, less what is in flight; -1 while unknown.",
    "Always near the limit: quota is not needed. Near 0: somebody else uses it.",
)
COURIER_BUCKET_LIMIT = Gauge(
    "sluice_courier_bucket_limit_units",
    ("platform", "account"),
    "Size of the account's bucket.",
    "Changes when the vendor changes the plan.",
)
COURIER_BUCKET_REFILL = Gauge(
    "sluice_courier_bucket_refill_units_per_second",
    ("platform", "account"),
    "Estimated refill less what others take.",
    "Below the advertised rate: a rival app or a cut quota.",
)
COURIER_BUCKET_RESTORE = Gauge(
    "sluice_courier_bucket_restore_units_per_second",
    ("platform", "account"),
    "Refill that the API advertises, else the configured rate.",
    "Changes when the vendor changes the plan, or cuts the quota for a while.",
)
COURIER_QUOTA_USED = Gauge(
    "sluice_courier_quota_used_ratio",
    ("platform", "account", "quota"),
    "Share of a quota per day (hour, minute) that is used up in its present window; its name, empty for the account's.",
    "Near 1 long before the window ends: work waits until then. Poll less often, or ask the vendor for more.",
)
COURIER_BLOCKED_SECONDS = Gauge(
    "sluice_courier_blocked_seconds",
    ("platform", "account"),
    "Time until the end of a Retry-After, pause or open breaker; 0 when none.",
    "Long: the vendor asked for it or is away; nothing is sent before.",
)
COURIER_BULK_WAITS_FOR = Gauge(
    "sluice_courier_bulk_waits_for_records",
    ("platform", "account"),
    "Records of live work that the courier has not read yet and that bulk work waits for; 0 when it does not wait.",
    "Above 0 for long: more live work comes than is read; see sluice_pipeline_lag_seconds of the role.",
)
COURIER_CLOCK_ERROR = Gauge(
    "sluice_courier_clock_error_seconds",
    ("platform", "account"),
    "Seconds by which the account's clock, as the dates of its replies tell it, is ahead of what clock_offset says.",
    "Beyond a second either way: last-writer-wins compares wrong times; set clock_offset.",
)
COURIER_HEALED = Counter(
    "sluice_courier_subscriptions_healed_total",
    ("platform", "account"),
    "Webhook subscriptions that were gone and have been made anew.",
    "Any: the receiver was away for hours or answered errors; the vendor gave it up. What was lost is polled.",
)
COURIER_HOLES = Counter(
    "sluice_courier_holes_total",
    ("platform", "account", "reason"),
    "Resources polled at once because pushes may be lost: healed (subscription), asked (fetch request), silence.",
    "Often: webhooks are not delivered; compare with sluice_receiver_requests_total.",
)
COURIER_WAIT_SECONDS = Histogram(
    "sluice_courier_wait_seconds",
    ("platform", "lane"),
    "Task due to first request admitted by the bucket.",
    "high lane rising: demand is above quota; move flows to lower lanes or ask for more quota.",
    LONG_TIMES,
)
PIPELINE_DEAD_LETTERS = Counter(
    "sluice_pipeline_dead_letters_total",
    ("stage", "reason"),
    "Records given up, by stage and reason.",
    "`sluice deadletters show` one, mend the cause, send it again.",
)
PIPELINE_BRAKED = Gauge(
    "sluice_pipeline_braked_sources",
    ("stage", "account"),
    "1 while most of what an account sends goes to the dead letters, else 0.",
    "`sluice deadletters list` shows why; mend the account or its mapping, then send them again. Others go on.",
)
PIPELINE_LAG_SECONDS = Gauge(
    "sluice_pipeline_lag_seconds",
    ("role", "topic"),
    "Age of the oldest record not yet processed.",
    "Growing: the role is too slow or stuck; see its health and its commits.",
)
PIPELINE_LAST_BEAT_SECONDS = Gauge(
    "sluice_pipeline_last_beat_seconds",
    ("role",),
    "Time since the main loop last made progress.",
    "Above the patience the process is restarted; look for a blocking call in its log.",
)

CATALOGUE: tuple[Metric, ...] = tuple(value for value in dict(globals()).values() if isinstance(value, Metric))


class Metrics:
    """All metrics of one process, in a registry of its own. Bind children once, outside of hot loops."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._made: dict[str, MetricWrapperBase] = {}

    def counter(self, metric: Counter, *labels: str) -> prometheus.Counter:
        """The counter with these label values, in the catalogue's order."""
        return self._child(metric, labels, prometheus.Counter)

    def gauge(self, metric: Gauge, *labels: str) -> prometheus.Gauge:
        """The gauge with these label values."""
        return self._child(metric, labels, prometheus.Gauge)

    def histogram(self, metric: Histogram, *labels: str) -> prometheus.Histogram:
        """The histogram with these label values; observations are in seconds."""
        return self._child(metric, labels, prometheus.Histogram)

    def value(self, metric: Metric, *labels: str) -> float:
        """What is exposed now: the value, for a histogram the number of observations; 0 when nothing was."""
        suffix = "_count" if isinstance(metric, Histogram) else ""
        found = self.registry.get_sample_value(metric.name + suffix, dict(zip(metric.labels, labels, strict=True)))
        return found or 0.0

    def page(self) -> tuple[bytes, str]:
        """Body and content type of /metrics."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST

    def _child(self, metric: Metric, labels: tuple[str, ...], kind: type[Wrapper]) -> Wrapper:
        made = self._made.get(metric.name)
        if made is None:
            options: dict[str, Any] = {"buckets": metric.buckets} if isinstance(metric, Histogram) else {}
            made = self._made[metric.name] = kind(
                metric.name, metric.doc, metric.labels, registry=self.registry, **options
            )
        assert isinstance(made, kind)
        return made.labels(*labels) if metric.labels else made
