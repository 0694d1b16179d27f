"""The courier of one platform as a process: all calls to that platform's accounts."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from connectors import catalog
from connectors.kit.clock import SystemClock
from connectors.kit.http import HttpSender
from connectors.kit.metrics import (
    COURIER_BLOCKED_SECONDS,
    COURIER_BUCKET_LEVEL,
    COURIER_BUCKET_LIMIT,
    COURIER_BUCKET_REFILL,
    COURIER_BUCKET_RESTORE,
    COURIER_BULK_WAITS_FOR,
    COURIER_CALL_SECONDS,
    COURIER_CALLS,
    COURIER_CLOCK_ERROR,
    COURIER_COST,
    COURIER_HEALED,
    COURIER_HOLES,
    COURIER_MALFORMED,
    COURIER_PUSHES,
    COURIER_QUOTA_USED,
    COURIER_TASKS,
    COURIER_THROTTLED,
    COURIER_WAIT_SECONDS,
    PIPELINE_DEAD_LETTERS,
    Metrics,
)
from connectors.kit.skew import Offset
from connectors.kit.snapshots import buckets, used_share
from schemas import topics
from schemas.registry import open_codec
from schemas.topics import Role
from streams.core.outcome import Limits
from streams.courier.processor import courier, inputs
from streams.courier.setup import Settings as CourierSettings
from streams.courier.setup import Setup, reference
from streams.courier.waiter import SystemWaiter
from streams.runtime.config import Config
from streams.runtime.hosting import Hosted, host
from streams.runtime.settings import Settings
from streams.runtime.xref import XrefReplica
from streams.worker.exits import die

CLOCK_TOLERANCE = 1.0  # seconds an account's clock may be off before it is worth a word
FINISHED = frozenset({"applied", "no_op", "filtered", "parked", "dead", "rerouted"})
log = structlog.get_logger(__name__)


class Metered:
    """streams.courier.recorder.Recorder over the metrics catalogue."""

    def __init__(self, metrics: Metrics, platform: str) -> None:
        self._metrics = metrics
        self._platform = platform
        self._wrong_clocks: frozenset[str] = frozenset()

    def call(self, account: str, operation: str, outcome: str, seconds: float) -> None:
        self._metrics.counter(COURIER_CALLS, self._platform, account, outcome).inc()
        self._metrics.histogram(COURIER_CALL_SECONDS, self._platform, operation).observe(seconds)
        if outcome == "throttled":
            self._metrics.counter(COURIER_THROTTLED, self._platform, account).inc()

    def spent(self, account: str, purpose: str, cost: float) -> None:
        self._metrics.counter(COURIER_COST, self._platform, account, purpose).inc(cost)

    def settled(self, account: str, lane: str, result: str, delay: float) -> None:
        if result in FINISHED:  # the others are attempts, and their calls are counted
            self._metrics.counter(COURIER_PUSHES, self._platform, account, result).inc()

    def rejected(self, topic: str, reason: str) -> None:
        self._metrics.counter(PIPELINE_DEAD_LETTERS, "courier", reason).inc()

    def pending(self, account: str, rows: int) -> None:
        self._metrics.gauge(COURIER_TASKS, self._platform, account, "pending").set(rows)

    def stopped(self, account: str, reason: str) -> None:
        self._metrics.gauge(COURIER_TASKS, self._platform, account, "stopped").set(bool(reason))

    def bucket(self, account: str, snapshot: Mapping[str, float], blocked: float) -> None:
        for metric, name in _LEVELS:
            self._metrics.gauge(metric, self._platform, account).set(snapshot[name])
        self._metrics.gauge(COURIER_BLOCKED_SECONDS, self._platform, account).set(blocked)
        for name, numbers in buckets(snapshot).items():
            used = used_share(numbers)
            if used is not None:
                self._metrics.gauge(COURIER_QUOTA_USED, self._platform, account, name).set(used)

    def bulk_waits(self, account: str, records: int) -> None:
        self._metrics.gauge(COURIER_BULK_WAITS_FOR, self._platform, account).set(records)

    def clock(self, account: str, offset: Offset, configured: float) -> None:
        off = offset.seconds - configured
        self._metrics.gauge(COURIER_CLOCK_ERROR, self._platform, account).set(off)
        wrong = abs(off) > CLOCK_TOLERANCE + offset.error
        if wrong and account not in self._wrong_clocks:
            log.warning(
                "an account's clock is not as its configuration says; what accounts said is compared by it. Set "
                "clock_offset in sluice.yaml, or have the clock there set",
                account=account,
                ahead_seconds=round(offset.seconds, 1),
                clock_offset=configured,
            )
        self._wrong_clocks = self._wrong_clocks | {account} if wrong else self._wrong_clocks - {account}

    def malformed(self, account: str, headers: int) -> None:
        self._metrics.counter(COURIER_MALFORMED, self._platform, account).inc(headers)

    def waited(self, lane: str, seconds: float) -> None:
        self._metrics.histogram(COURIER_WAIT_SECONDS, self._platform, lane).observe(max(0.0, seconds))

    def polled(self, account: str, resource: str, seen: int, changed: int) -> None:
        return

    def braked(self, account: str, resource: str, missing: int, known: int) -> None:
        self._metrics.counter(PIPELINE_DEAD_LETTERS, "courier", "mass_delete_brake").inc()

    def hole(self, account: str, resource: str, reason: str) -> None:
        self._metrics.counter(COURIER_HOLES, self._platform, account, reason).inc()

    def healed(self, account: str, topic: str) -> None:
        self._metrics.counter(COURIER_HEALED, self._platform, account).inc()


_LEVELS = (
    (COURIER_BUCKET_LEVEL, "level"),
    (COURIER_BUCKET_LIMIT, "limit"),
    (COURIER_BUCKET_REFILL, "refill"),
    (COURIER_BUCKET_RESTORE, "restore_rate"),
)


def run(settings: Settings, config: Config, platform: str) -> None:
    """Work until SIGTERM. Raises Misconfigured for a platform without a destination."""
    vendor = catalog.platform(platform)
    codec = open_codec(settings.registry, settings.schema_cache)
    replica_codec = open_codec(settings.registry, settings.schema_cache)  # a codec belongs to one thread
    xref = XrefReplica(settings.librdkafka(), settings.topic_prefix + topics.XREF, replica_codec, on_failure=die)
    metrics, clock = Metrics(), SystemClock()
    defaults = CourierSettings()
    timeout = settings.vendor_timeout
    accounts = tuple(account for account in config.accounts.values() if account.platform == platform)
    setup = Setup(
        vendor,
        accounts,
        codec,
        xref,
        settings.topics(),
        clock,
        SystemWaiter(clock),
        HttpSender(clock),
        Metered(metrics, platform),
        CourierSettings(
            request_timeout=timeout,
            subscriptions_interval=settings.courier_subscriptions_interval,
            limits=Limits(quarantine=timeout + defaults.intent_age + settings.courier_quarantine_margin),
        ),
        {reference(account.tenant, account.id): config.lanes_of(account) for account in accounts},
        {reference(account.tenant, account.id): config.fallbacks_of(account) for account in accounts},
    )

    async def prepare() -> None:
        xref.start()
        await xref.caught_up()

    host(
        settings,
        Hosted(
            Role.COURIER,
            inputs(vendor),
            topics.courier_changelog(platform),
            lambda: courier(setup),
            platform=platform,
            prepare=prepare,
        ),
        metrics,
    )
