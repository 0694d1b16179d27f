"""`sluice topics`: the catalogue and the broker, compared and brought together; nothing is ever deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from schemas import admin as broker
from schemas.plan import Plan, diff
from schemas.topics import CATALOGUE, DAY_MS, PROFILES, Profile

prefix_option = click.option(
    "--prefix",
    default="sluice.",
    envvar="SLUICE_TOPIC_PREFIX",
    show_default=True,
    show_envvar=True,
    help="What all topic names begin with.",
)
profile_option = click.option(
    "--profile",
    type=click.Choice(sorted(PROFILES)),
    default="development",
    envvar="SLUICE_PROFILE",
    show_default=True,
    show_envvar=True,
    help="Partition counts and replication.",
)
bootstrap_option = click.option(
    "--bootstrap",
    default="127.0.0.1:19092",
    envvar="SLUICE_BOOTSTRAP",
    show_default=True,
    show_envvar=True,
    help="Addresses of brokers.",
)


def _cluster_options(command: Callable[..., Any]) -> Callable[..., Any]:
    return bootstrap_option(prefix_option(profile_option(command)))


@click.group()
def topics() -> None:
    """The topic catalogue, and what a Kafka cluster has of it."""


@topics.command("list")
@prefix_option
@profile_option
def list_(prefix: str, profile: str) -> None:
    """List the catalogue: topic, partitions, how long records are kept, what they are. Needs no broker."""
    width = max(map(len, CATALOGUE)) + len(prefix)
    for topic in CATALOGUE.values():
        count = PROFILES[profile].partitions(topic.sizing)
        kept = topic.cleanup.value if topic.retention_ms < 0 else f"{topic.retention_ms // DAY_MS} days"
        click.echo(f"{prefix + topic.name:<{width}}  {count:>3}  {kept:<8}  {topic.doc}")


@topics.command()
@_cluster_options
def plan(bootstrap: str, prefix: str, profile: str) -> None:
    """Show what `apply` would do; change nothing."""
    with _plain_errors():
        _, found = _plan(bootstrap, prefix, PROFILES[profile])
    _print(found)


@topics.command()
@_cluster_options
@click.option("--yes", is_flag=True, help="Also change topics that exist.")
def apply(bootstrap: str, prefix: str, profile: str, yes: bool) -> None:
    """Create what is missing and set what differs; return when every partition has a leader.

    Nothing is deleted or shrunk. The partition count of a topic with keys is never changed.
    """
    with _plain_errors():
        client, found = _plan(bootstrap, prefix, PROFILES[profile])
        _print(found)
        if found.touches_existing and not found.refusals and not yes:
            raise click.ClickException("existing topics would be changed as shown above; say --yes if that is meant")
        broker.apply(client, found)
    click.echo(f"applied: {len(found.creates)} topics created, {len(found.changes)} settings changed")


@topics.command()
@_cluster_options
@click.pass_context
def verify(ctx: click.Context, bootstrap: str, prefix: str, profile: str) -> None:
    """Exit 1 unless the cluster has exactly what the catalogue says (further topics do not count)."""
    with _plain_errors():
        _, found = _plan(bootstrap, prefix, PROFILES[profile])
    _print(found)
    ctx.exit(1 if found.differs else 0)


def _plan(bootstrap: str, prefix: str, profile: Profile) -> tuple[Any, Plan]:
    client = broker.open_admin(bootstrap)
    configured = [f"{prefix}{name}" for name in CATALOGUE]
    return client, diff(broker.existing_topics(client, configured), prefix, profile)


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
    except broker.TopicError as error:
        raise click.ClickException(str(error)) from error
