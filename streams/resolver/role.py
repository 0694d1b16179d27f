"""The resolver as a process."""

from __future__ import annotations

from connectors import catalog
from connectors.kit.errors import Misconfigured
from connectors.kit.metrics import Metrics
from schemas import topics
from schemas.registry import open_codec
from schemas.topics import Role
from streams.resolver.measure import STAGE
from streams.resolver.processor import Resolver
from streams.resolver.routes import Member, Routes, routes
from streams.runtime.brakes import Brakes
from streams.runtime.config import Config
from streams.runtime.hosting import Hosted, host
from streams.runtime.settings import Settings
from streams.shard.api import Shard
from streams.worker.exits import refuse


def routes_of(config: Config) -> Routes:
    """The rules and accounts of a configuration file, indexed for the resolver."""
    clocks = {name: platform.clocks for name, platform in catalog.platforms().items()}
    members = [
        Member(a.tenant, a.id, a.platform, a.priority, clocks.get(a.platform, {}), a.clock_epoch)
        for a in config.accounts.values()
    ]
    return routes(config.rules, members)


class Configured(Resolver):
    """Ends the process where a shard shows that its configuration must not be obeyed: no restart would mend that."""

    def open(self, shard: Shard) -> None:
        try:
            super().open(shard)
        except Misconfigured as error:
            refuse(str(error))


def run(settings: Settings, config: Config) -> None:
    """Work until SIGTERM."""
    codec = open_codec(settings.registry, settings.schema_cache)
    table, profile, metrics = routes_of(config), settings.topics(), Metrics()
    brakes = Brakes(metrics, STAGE)
    host(
        settings,
        Hosted(
            Role.RESOLVER,
            (topics.INBOUND, topics.INBOUND_BULK),
            topics.RESOLVE_CHANGELOG,
            lambda: Configured(table, codec, profile, metrics=metrics, brakes=brakes),
            seen=topics.RESOLVE_SEEN,
        ),
        metrics,
    )
