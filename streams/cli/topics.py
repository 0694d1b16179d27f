"""`sluice topics`: the catalogue and the broker, compared and brought together; nothing is ever deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from connectors.kit.errors import Misconfigured
from schemas import admin as broker
from schemas.plan import Plan, diff
from schemas.topics import CATALOGUE, DAY_MS, PROFILES
from streams.runtime.cluster import open_admin
from streams.runtime.settings import Settings
from streams.runtime.settings import load as load_settings

prefix_option = click.option("--prefix", help="What all topic names begin with. Default: SLUICE_TOPIC_PREFIX.")
profile_option = click.option(
    "--profile",
    type=click.Choice(sorted(PROFILES)),
    help="Partition counts and replication. Default: SLUICE_PROFILE.",
)
bootstrap_option = click.option(
    "--bootstrap", help="Addresses of brokers, reached with the TLS and SASL settings. Default: SLUICE_BOOTSTRAP."
)


def _cluster_options(command: Callable[..., Any]) -> Callable[..., Any]:
    return bootstrap_option(prefix_option(profile_option(command)))


@click.group()
def topics() -> None:
    """The topic catalogue, and what a Kafka cluster has of it."""


@topics.command("list")
@prefix_option
@profile_option
def list_(prefix: str | None, profile: str | None) -> None:
    """List the catalogue: topic, partitions, how long records are kept, what they are. Needs no broker."""
    with _plain_errors():
        settings = _settings(topic_prefix=prefix, profile=profile)
    names = {topic: f"{settings.topic_prefix}{topic}" for topic in CATALOGUE}
    width = max(map(len, names.values()))
    for topic in CATALOGUE.values():
        count = settings.topics().partitions(topic.sizing)
        kept = topic.cleanup.value if topic.retention_ms < 0 else f"{topic.retention_ms // DAY_MS} days"
        click.echo(f"{names[topic.name]:<{width}}  {count:>3}  {kept:<8}  {topic.doc}")


@topics.command()
@_cluster_options
def plan(bootstrap: str | None, prefix: str | None, profile: str | None) -> None:
    """Show what `apply` would do; change nothing."""
    with _plain_errors():
        _, found = _plan(_settings(bootstrap=bootstrap, topic_prefix=prefix, profile=profile))
    _print(found)


@topics.command()
@_cluster_options
@click.option("--yes", is_flag=True, help="Also change topics that exist.")
def apply(bootstrap: str | None, prefix: str | None, profile: str | None, yes: bool) -> None:
    """Create what is missing and set what differs; return when every partition has a leader.

    Nothing is deleted or shrunk. The partition count of a topic with keys is never changed.
    """
    with _plain_errors():
        client, found = _plan(_settings(bootstrap=bootstrap, topic_prefix=prefix, profile=profile))
        _print(found)
        if found.touches_existing and not found.refusals and not yes:
            raise click.ClickException("existing topics would be changed as shown above; say --yes if that is meant")
        broker.apply(client, found)
    click.echo(f"applied: {len(found.creates)} topics created, {len(found.changes)} settings changed")


@topics.command()
@_cluster_options
@click.pass_context
def verify(ctx: click.Context, bootstrap: str | None, prefix: str | None, profile: str | None) -> None:
    """Exit 1 unless the cluster has exactly what the catalogue says (further topics do not count)."""
    with _plain_errors():
        _, found = _plan(_settings(bootstrap=bootstrap, topic_prefix=prefix, profile=profile))
    _print(found)
    ctx.exit(1 if found.differs else 0)


def _settings(**given: str | None) -> Settings:
    """The settings of a process started here; options that were given win."""
    return load_settings(**{name: value for name, value in given.items() if value is not None})


def _plan(settings: Settings) -> tuple[Any, Plan]:
    client = open_admin(settings)
    prefix = settings.topic_prefix
    configured = [f"{prefix}{name}" for name in CATALOGUE]
    return client, diff(broker.existing_topics(client, configured), prefix, settings.topics())


def _print(found: Plan) -> None:
    for line in found.lines():
        click.echo(line)
    if not found.differs:
        click.echo(f"all {len(CATALOGUE)} topics are as the catalogue says")


@contextmanager
def _plain_errors() -> Iterator[None]:
    """What the user can mend is shown as a sentence, not as a traceback."""
    try:
        yield
    except (broker.TopicError, Misconfigured) as error:
        raise click.ClickException(str(error)) from error
