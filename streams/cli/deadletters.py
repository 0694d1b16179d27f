"""`sluice deadletters`: what could not be processed, and why."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import click
from confluent_kafka import KafkaException

from connectors.kit.errors import Misconfigured
from schemas import topics
from schemas.admin import TopicError
from schemas.codec import CodecError
from schemas.registry import RegistryError, open_codec
from streams.runtime.settings import load as load_settings
from streams.runtime.topicreader import open_reader


@contextmanager
def _plain_errors() -> Iterator[None]:
    try:
        yield
    except (Misconfigured, TopicError, CodecError, RegistryError, KafkaException) as error:
        raise click.ClickException(str(error)) from error


def _letters() -> list[dict[str, Any]]:
    settings = load_settings()
    codec = open_codec(settings.registry, settings.schema_cache)
    with closing(open_reader(settings, [topics.DEAD_LETTERS])) as reader:
        records = sorted(reader.read(topics.DEAD_LETTERS), key=lambda record: record.timestamp)
    return [codec.decode(record.value or b"") for record in records]


@click.group()
def deadletters() -> None:
    """Records that could not be processed, with their reason, original bytes and origin."""


@deadletters.command(name="list")
@click.option("--reason", default="", help="Only these, e.g. unlinkable.")
@click.option("--last", default=20, show_default=True, type=click.IntRange(min=1), help="How many to list.")
def list_(reason: str, last: int) -> None:
    """Print how many there are by stage and reason, and the newest ones."""
    with _plain_errors():
        letters = [one for one in _letters() if reason in ("", one["reason"])]
    for (stage, why), count in sorted(Counter((one["stage"], one["reason"]) for one in letters).items()):
        click.echo(f"{count:>6}  {stage}  {why}")
    for one in letters[-last:]:
        click.echo(f"{one['dead_at']:%Y-%m-%d %H:%M:%S}  {one['id']}  {one['reason']}: {one['detail']}")


@deadletters.command()
@click.argument("id")
def show(id: str) -> None:
    """Print the dead letter ID whole; bytes as text where they are text, else in hex."""
    with _plain_errors():
        found = [one for one in _letters() if one["id"] == id]
    if not found:
        raise click.ClickException(f"no dead letter {id!r}; `sluice deadletters list` shows those there are")
    click.echo(json.dumps(found[-1], indent=2, default=_shown))


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.hex()
    return str(value)
