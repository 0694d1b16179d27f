"""The mapper as a process: one group for all platforms, whose raw topics are co-partitioned."""

from __future__ import annotations

from connectors import catalog
from connectors.kit.metrics import Metrics
from schemas import topics
from schemas.registry import open_codec
from schemas.topics import Role
from streams.mapper.processor import STAGE, Mapper
from streams.runtime.brakes import Brakes
from streams.runtime.config import Config
from streams.runtime.hosting import Hosted, host
from streams.runtime.settings import Settings
from streams.runtime.xref import XrefReplica
from streams.worker.exits import die


def run(settings: Settings, config: Config) -> None:
    """Work until SIGTERM."""
    codec = open_codec(settings.registry, settings.schema_cache)
    replica_codec = open_codec(settings.registry, settings.schema_cache)  # a codec belongs to one thread
    xref = XrefReplica(settings.librdkafka(), settings.topic_prefix + topics.XREF, replica_codec, on_failure=die)
    platforms, profile = catalog.platforms(), settings.topics()
    skew = int(config.rules.max_future_skew * 1_000_000)

    metrics = Metrics()
    brakes = Brakes(metrics, STAGE)

    async def prepare() -> None:
        xref.start()
        await xref.caught_up()

    host(
        settings,
        Hosted(
            Role.MAPPER,
            tuple(topics.raw(name) for name in catalog.NAMES),
            topics.MAP_CHANGELOG,
            lambda: Mapper(
                config.accounts, platforms, codec, profile, xref, max_skew=skew, metrics=metrics, brakes=brakes
            ),
            prepare=prepare,
        ),
        metrics,
    )
