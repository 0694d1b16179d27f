"""`sluice polls`: what is read at an account, and reading it now."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
from confluent_kafka import KafkaException, Producer

from connectors import catalog
from connectors.kit.contract import Account, Resource
from connectors.kit.errors import Misconfigured
from schemas import identity, topics
from schemas.entities import Lane
from schemas.registry import RegistryError, open_codec
from schemas.topics import CATALOGUE
from streams.core.holes import EVERYTHING
from streams.runtime.config import load as load_config
from streams.runtime.settings import Settings
from streams.runtime.settings import load as load_settings

_PATIENCE = 10.0  # seconds for the broker to take one record


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except (Misconfigured, RegistryError, KafkaException) as error:
        raise click.ClickException(str(error)) from error


@click.group()
def polls() -> None:
    """What the couriers read at accounts of their own accord."""


@polls.command(name="list")
@click.argument("account")
def list_(account: str) -> None:
    """Print what is polled at ACCOUNT (TENANT|ID), and how often."""
    with _plain_errors():
        _, resources = _polled(load_settings(), account)
    for one in resources:
        longest = f" to {one.longest:g}" if one.longest > one.interval else ""
        click.echo(f"{one.name:<20} every {one.interval:g}{longest} s{', whole' if one.scan else ''}")


@polls.command()
@click.argument("account")
@click.argument("resource", default=EVERYTHING)
def now(account: str, resource: str) -> None:
    """Have ACCOUNT (TENANT|ID) polled at once, because pushes may be lost, e.g. after its webhooks went nowhere.

    RESOURCE: one that `sluice polls list` shows; without it all that are read by date. What changed since the last pass
    is read, within the account's quota, and goes the way of every poll.
    """
    with _plain_errors():
        settings = load_settings()
        found, resources = _polled(settings, account)
        named = [one.name for one in resources if one.name == resource or (resource == EVERYTHING and not one.scan)]
        if not named:
            known = ", ".join(one.name for one in resources)
            raise Misconfigured(f"{account} has no poll {resource!r}", hint=f"known: {known}")
        _ask(settings, found, resource)
    click.echo(f"asked for: {', '.join(named)}")


def _polled(settings: Settings, reference: str) -> tuple[Account, tuple[Resource, ...]]:
    """Raises Misconfigured for an account that is not configured or of a platform that is not polled."""
    config = load_config(settings.config_file, catalog.NAMES, with_secrets=False, policies=settings.policies_file)
    accounts = {identity.join(*name): account for name, account in config.accounts.items()}
    account = accounts.get(reference)
    if account is None:
        raise Misconfigured(f"no account {reference!r}", hint=f"known: {', '.join(sorted(accounts))}")
    poller = catalog.platform(account.platform).poller
    if poller is None:
        raise Misconfigured(f"{reference}: nothing is polled at {account.platform}")
    return account, poller.resources(account)


def _ask(settings: Settings, account: Account, resource: str) -> None:
    request = {
        "tenant": account.tenant,
        "account": account.id,
        "platform": account.platform,
        "resource": resource,
        "remote_id": EVERYTHING,
        "reason": "asked",
        "lane": Lane.NORMAL.value,
        "requested_at": time.time_ns() // 1000,
        "cause": "sluice polls now",
    }
    topic = topics.fetch(account.platform)
    partitions = settings.topics().partitions(CATALOGUE[topic].sizing)
    failures: list[object] = []
    producer = Producer({**settings.librdkafka(), "acks": "all"})
    producer.produce(
        settings.topic_prefix + topic,
        open_codec(settings.registry, settings.schema_cache).encode("fetch_request", request),
        identity.join(account.id, resource, EVERYTHING).encode(),
        identity.account_partition(account.tenant, account.id, partitions),
        on_delivery=lambda error, _: failures.append(error) if error else None,
    )
    if producer.flush(_PATIENCE) or failures:
        raise click.ClickException(f"the broker did not take the request: {failures or 'no answer'}")
