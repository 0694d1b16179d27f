"""`sluice ledger`: the three books, and whether they close."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any

import click
from confluent_kafka import KafkaException

from connectors.kit.errors import Misconfigured
from schemas.admin import TopicError
from schemas.topics import PLATFORMS
from streams.core.ledger import Book, InvalidLedgerRow
from streams.runtime import ledgerbook
from streams.runtime.ledgerbook import Books, Line
from streams.runtime.settings import load as load_settings
from streams.runtime.topicreader import TopicReader, open_reader

POLL_SECONDS = 0.5
_IN_FLIGHT = (
    "not closed: that is work in flight, held or pending, or a loss. While the roles run, `sluice ledger --wait 30` "
    "tells them apart: what stays open when nothing moves any more is missing."
)
_EQUATIONS = {
    Book.DELIVERIES: "received = mapped + ignored + dead + awaiting",
    Book.EVENTS: "received = won + superseded + duplicate + unchanged + late + dead + quarantined",
    Book.TASKS: "routed = received = applied + no_op + coalesced + filtered + parked + dead + rerouted",
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.option(
    "--day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Only what arrived on this UTC day. Default: all days there are rows of.",
)
@click.option(
    "--wait", "patience", type=click.FloatRange(min=0), default=0.0, help="Seconds to wait until all books close."
)
@click.pass_context
def ledger(ctx: click.Context, as_json: bool, day: datetime | None, patience: float) -> None:
    """Print the three books per account (deliveries, events, tasks) and what is open.

    Exit 1 when a book does not close. While the roles work that is normal: what was received and is not settled yet is
    open; --wait SECONDS asks again until nothing is. Reads the changelogs of mapper, resolver and couriers whole.
    """
    with _plain_errors():
        settings = load_settings()
        needed = ledgerbook.changelogs(PLATFORMS)
        where = f"{', '.join(settings.topic_prefix + name for name in needed)} at {settings.bootstrap}"
        with closing(open_reader(settings, needed)) as reader:
            found = _until_closed(reader, f"{day:%Y-%m-%d}" if day else "", patience)
    if not found.lines:
        raise click.ClickException(_nothing(where, f"{day:%Y-%m-%d}" if day else ""))
    click.echo(json.dumps(as_data(found), indent=2) if as_json else as_text(found))
    ctx.exit(0 if found.closed else 1)


def _until_closed(reader: TopicReader, day: str, patience: float) -> Books:
    deadline = time.monotonic() + patience
    while True:
        entries = ledgerbook.entries(reader, PLATFORMS)
        found = ledgerbook.books(ledgerbook.of_day(entries, day) if day else entries)
        if (found.lines and found.closed) or time.monotonic() >= deadline:
            return found
        time.sleep(POLL_SECONDS)


def as_data(found: Books) -> dict[str, Any]:
    """What --json prints."""
    lines = [
        {
            "book": line.book.name.lower(),
            "account": line.account,
            "counters": dict(line.counters),
            "open": line.open,
            "on_the_way": line.on_the_way,
            "closed": line.closed,
        }
        for line in found.lines
    ]
    return {"closed": found.closed, "events_unread": found.unread, "books": lines}


def as_text(found: Books) -> str:
    """The books as tables, one below the other, and the verdict."""
    parts = []
    for book in Book:
        lines = [line for line in found.lines if line.book is book]
        parts.append("\n".join([f"{book.name.lower()}: {_EQUATIONS[book]}", *_table(book, lines)]))
    if found.unread:
        parts.append(f"between mapper and resolver: {found.unread} events are written and not received")
    parts.append("all books are closed" if found.closed else _IN_FLIGHT)
    return "\n\n".join(parts)


def _table(book: Book, lines: list[Line]) -> list[str]:
    if not lines:
        return ["  nothing was counted"]
    tasks = ["on_the_way"] if book is Book.TASKS else []
    rows = [["account", *book.names, *tasks, "open"]]
    for line in lines:
        on_the_way = [str(line.on_the_way)] if tasks else []
        rows.append([line.account, *(str(line.counters[name]) for name in book.names), *on_the_way, str(line.open)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]


def _nothing(where: str, day: str) -> str:
    on = f" of {day}" if day else ""
    return (
        f"no ledger row{on} was found in {where}: nothing has been counted. Likely no role has run under this prefix, "
        f"or nothing arrived; `sluice run all` starts every role, `sluice config show` shows the prefix"
    )


@contextmanager
def _plain_errors() -> Iterator[None]:
    """What the user can mend is shown as a sentence, not as a traceback."""
    try:
        yield
    except (Misconfigured, TopicError, InvalidLedgerRow) as error:
        raise click.ClickException(str(error)) from error
    except KafkaException as error:
        raise click.ClickException(
            f"reading the changelogs failed: {error.args[0]}; see `sluice stack status`"
        ) from error
