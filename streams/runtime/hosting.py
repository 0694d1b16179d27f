"""A sharded role as a process: checks, health and metrics around a shard host and its Faust app."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from connectors.kit.health import Health, State, routes, serve
from connectors.kit.metrics import (
    PIPELINE_LAG_SECONDS,
    SHARD_COMMIT_SECONDS,
    SHARD_RESTORE_ROWS,
    SHARD_RESTORE_SECONDS,
    SHARD_RESTORE_TO_GO,
    SHARD_RESTORING,
    SHARD_SKIPPED,
    SHARD_TRANSACTIONS,
    SHARD_UNREADABLE,
    Metrics,
)
from schemas import topics
from schemas.admin import verify_partitions
from schemas.topics import CATALOGUE, Role
from streams.runtime.cluster import open_admin
from streams.runtime.credentials import credentials
from streams.runtime.memory import tune_malloc
from streams.runtime.settings import Settings
from streams.shard.api import Processor
from streams.shard.host import Host
from streams.shard.plan import Plan
from streams.worker.app import Membership, make_app, run
from streams.worker.exits import die


@dataclass(frozen=True, slots=True)
class Hosted:
    """A role and what its shards are made of; topics are catalogue names."""

    role: Role
    inputs: tuple[str, ...]
    changelog: str
    processor: Callable[[], Processor]
    seen: str = ""
    platform: str = ""
    prepare: Callable[[], Awaitable[None]] | None = None

    @property
    def name(self) -> str:
        """resolver, mapper, courier-shopify."""
        return f"{self.role.value}-{self.platform}" if self.platform else self.role.value


class MeteredShards:
    """streams.shard.plan.Recorder over the metrics catalogue, and the heartbeat of the process."""

    def __init__(self, metrics: Metrics, health: Health, role: str, prefix: str) -> None:
        self._metrics = metrics
        self._health = health
        self._role = role
        self._prefix = prefix
        self._commits = metrics.histogram(SHARD_COMMIT_SECONDS, role)
        self._transactions = metrics.counter(SHARD_TRANSACTIONS, role, "committed")
        self._restoring: set[int] = set()

    def committed(self, shard: int, seconds: float, records: int) -> None:
        self._commits.observe(seconds)
        self._transactions.inc()
        self._health.beat()

    def restoring(self, to_go: Mapping[int, int]) -> None:
        self._metrics.gauge(SHARD_RESTORING, self._role).set(len(to_go))
        for shard in self._restoring | to_go.keys():
            self._metrics.gauge(SHARD_RESTORE_TO_GO, self._role, str(shard)).set(to_go.get(shard, 0))
        self._restoring = set(to_go)

    def unreadable(self, shard: int) -> None:
        self._metrics.counter(SHARD_UNREADABLE, self._role).inc()

    def skipped(self, topic: str, records: int) -> None:
        self._metrics.counter(SHARD_SKIPPED, self._role, topic.removeprefix(self._prefix)).inc(records)

    def restored(self, shard: int, seconds: float, rows: int) -> None:
        self._metrics.histogram(SHARD_RESTORE_SECONDS, self._role).observe(seconds)
        self._metrics.counter(SHARD_RESTORE_ROWS, self._role).inc(rows)
        self._health.beat()

    def batch(self, topic: str, partition: int, records: int, newest_ms: int) -> None:
        lag = max(0.0, time.time() - newest_ms / 1000)
        self._metrics.gauge(PIPELINE_LAG_SECONDS, self._role, topic.removeprefix(self._prefix)).set(lag)
        self._health.beat()

    def alive(self) -> None:
        self._health.beat()


def group(settings: Settings, name: str) -> str:
    """The consumer group (and prefix of transactional ids) of a role."""
    return f"{settings.topic_prefix}{name}"


def host(settings: Settings, hosted: Hosted, metrics: Metrics) -> None:
    """Run the role until SIGTERM.

    Raises Misconfigured, TopicsMismatch or BrokerUnavailable before anything is consumed.
    """
    tune_malloc()
    names = (*hosted.inputs, hosted.changelog, *((hosted.seen,) if hosted.seen else ()))
    login = credentials(settings)
    verify_partitions(open_admin(settings), settings.topic_prefix, settings.topics(), names)
    health = Health()
    plan = Plan(
        group=group(settings, hosted.name),
        prefix=settings.topic_prefix,
        topics=hosted.inputs,
        changelog=hosted.changelog,
        seen=hosted.seen,
        state_dir=settings.state_dir / settings.instance_id,
        kafka=settings.librdkafka(),
        processor=hosted.processor,
        interval=settings.commit_interval_ms / 1000,
        transaction_timeout_ms=settings.transaction_timeout_ms,
        delete_retention_ms=CATALOGUE[hosted.changelog].delete_retention_ms,
        row_cache=settings.row_cache_entries,
        seen_days=CATALOGUE[topics.RESOLVE_SEEN].retention_ms // topics.DAY_MS - 1,
        seen_ids=settings.seen_ids,
        offsets_lost=settings.offsets_lost,
        recorder=MeteredShards(metrics, health, hosted.name, settings.topic_prefix),
        prepare=hosted.prepare,
    )
    shards = Host(plan, die)
    health.check("shards", shards.obstacle)

    async def web() -> None:
        await serve(settings.http_host, settings.http_port(hosted.role, hosted.platform), routes(health, metrics))
        health.to(State.READY)

    app = make_app(
        Membership(
            settings.bootstrap,
            plan.group,
            settings.instance_id,
            settings.session_timeout_ms / 1000,
            str(plan.state_dir / "faust"),
        ),
        tuple(settings.topic_prefix + name for name in hosted.inputs),
        shards,
        credentials=login,
        beside=(web,),
    )
    run(app, loglevel="WARNING")
