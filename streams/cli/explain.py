"""`sluice explain`: why an entity is what it is, and what was done about it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict

import click
from confluent_kafka import KafkaException

from connectors.kit.errors import Misconfigured
from schemas.admin import TopicError
from schemas.codec import CodecError
from schemas.identity import InvalidKey
from schemas.registry import RegistryError, open_codec
from schemas.topics import PLATFORMS
from streams.runtime.config import Config
from streams.runtime.config import load as load_config
from streams.runtime.explain import gather
from streams.runtime.explain.facts import Explained
from streams.runtime.explain.facts import explain as explained
from streams.runtime.explain.moment import parse_time
from streams.runtime.explain.render import render, when
from streams.runtime.explain.selection import Selection, select
from streams.runtime.settings import Settings
from streams.runtime.settings import load as load_settings
from streams.runtime.state import UnreadableRow
from streams.runtime.topicreader import open_reader


@click.command()
@click.argument("entity")
@click.option("--json", "as_json", is_flag=True, help="For scripts: a list of entities.")
@click.option(
    "--last",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="How many decisions, events, tasks and calls to show of each entity.",
)
@click.option(
    "--at",
    "moment",
    metavar="TIME",
    help="As of then: 2026-03-01T12:00:00Z (UTC unless it says otherwise), or how long ago: -90s, -10m, -2h, -1d.",
)
def explain(entity: str, as_json: bool, last: int, moment: str | None) -> None:
    """Who won ENTITY and why, who lost, and what was pushed where.

    ENTITY is a golden key, quoted for the shell ('acme|price|SKU-1~default~EUR'), or a SKU: then all prices, stock
    levels, variants and products of that SKU in every tenant (a product is named by the smallest SKU of its variants).

    With --at the answer is that of an earlier time, told from what decisions, events, tasks and calls said until then
    by the broker's clock: decisions and calls are kept for 30 days, events for 90, tasks for 3.

    Of each topic only the partitions that can hold the entity are read, but those from the beginning, so in a large
    installation this takes a while. Memory holds no more than what is shown.
    """
    with _plain_errors():
        at = None if moment is None else _parsed(moment)
        settings = load_settings()
        config = load_config(
            settings.config_file,
            PLATFORMS,
            with_secrets=False,
            policies=settings.policies_file,
            flows=settings.flows_file,
        )
        selection = select(entity, {tenant for tenant, _ in config.accounts})
        answers = _answers(settings, config, selection, last, at)
    if as_json:
        click.echo(json.dumps([asdict(one) for one in answers], indent=2))
        return
    click.echo("\n\n".join(map(render, answers)))


def _parsed(text: str) -> int:
    try:
        return parse_time(text, time.time_ns() // 1000)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--at") from None


def _answers(settings: Settings, config: Config, selection: Selection, last: int, at: int | None) -> list[Explained]:
    needed = gather.needed(selection, config)
    codec = open_codec(settings.registry, settings.schema_cache)
    with closing(open_reader(settings, needed)) as reader:
        found = gather.Gather(reader, codec, config, selection, last, at).run()
    if not found.known:
        raise click.ClickException(_nothing(settings, config, selection, found.searched, at))
    return [explained(key, known, config, last) for key, known in found.known.items()]


def _nothing(settings: Settings, config: Config, selection: Selection, searched: list[str], at: int | None) -> str:
    unknown = sorted(set(selection.tenants) - {tenant for tenant, _ in config.accounts})
    strange = f"tenant {unknown[0]} is not in {settings.config_file}, " if unknown else ""
    until = "" if at is None else f" of the time up to {when(at)}, or nothing is kept of it any more"
    return (
        f"nothing is known of {selection.text!r} in tenant {', '.join(selection.tenants)}{until}; searched at "
        f"{settings.bootstrap} under the prefix {settings.topic_prefix!r}: {'; '.join(searched)}. Likely {strange}the "
        f"key is spelt differently, no event of it has come yet, or its deliveries died before the resolver; "
        f"`sluice ledger` shows per account what was received, ignored and dead"
    )


@contextmanager
def _plain_errors() -> Iterator[None]:
    """What the user can mend is shown as a sentence, not as a traceback."""
    try:
        yield
    except (Misconfigured, TopicError, CodecError, RegistryError, UnreadableRow) as error:
        raise click.ClickException(str(error)) from error
    except InvalidKey as error:
        raise click.ClickException(
            f"{error}; an entity is tenant|type|id, e.g. 'acme|price|SKU-1~default~EUR', or a SKU alone"
        ) from error
    except KafkaException as error:
        raise click.ClickException(f"reading the topics failed: {error.args[0]}; see `sluice stack status`") from error
