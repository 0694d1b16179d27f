"""`sluice tasks`: work that waits for a person, what is known of it, and what is to become of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import click
from confluent_kafka import Producer

from schemas import topics
from schemas.codec import Codec
from schemas.registry import open_codec
from streams.cli.answers import Unanswered, lines, plain_errors
from streams.core.courier_rows import Frozen, Intent
from streams.core.desired import Kind, Verdict
from streams.runtime import tasks
from streams.runtime.rowtext import plain_record
from streams.runtime.settings import Settings
from streams.runtime.settings import load as load_settings
from streams.runtime.tasks import Found
from streams.runtime.topicreader import TopicReader, open_reader

_LOOK_AGAIN = 0.5  # seconds
_platform = click.option("--platform", type=click.Choice(topics.PLATFORMS), help="Only this platform.")
_json = click.option("--json", "as_json", is_flag=True, help="For scripts.")


@click.group(name="tasks")
def group() -> None:
    """Work for accounts: what is parked until somebody has looked, and the verdict on it."""


# ------------------------------------------------------------------------------------------- parked


@group.command()
@_platform
@click.option("--account", default="", help="Only of this account, as tenant|account.")
@_json
def parked(platform: str | None, account: str, as_json: bool) -> None:
    """List what waits for a link or a person. The first column names a task in the other commands."""
    with plain_errors(), _opened(platform) as (reader, _, platforms):
        found = tasks.find(reader, platforms, lambda one: tasks.is_parked(one) and account in ("", one.account))
    if as_json:
        click.echo(json.dumps([_summary(one) for one in found], indent=2))
        return
    for one in found:
        task = one.task
        click.echo(
            f"{one.handle}  {one.account}  {task.wanted.kind}  {one.name}  {task.reason}  "
            f"wanted {_when(task.wanted.wanted_at)}, {task.attempts} attempts"
        )
    click.echo(f"{len(found)} parked")


def _summary(one: Found) -> dict[str, Any]:
    wanted = one.task.wanted
    return {
        "task": one.handle,
        "platform": one.platform,
        "account": one.account,
        "kind": wanted.kind.value,
        "name": one.name,
        "golden_key": wanted.subject,
        "version": wanted.version,
        "status": one.task.status.value,
        "reason": one.task.reason,
        "attempts": one.task.attempts,
        "flow": wanted.cause,
        "wanted_at": _when(wanted.wanted_at),
        **({"expires_at": _when(wanted.expires_at)} if wanted.expires_at else {}),
    }


# ------------------------------------------------------------------------------------------- show


@group.command()
@click.argument("task")
@_platform
@_json
def show(task: str, platform: str | None, as_json: bool) -> None:
    """Print what is known of TASK: what is wanted, the request that was last sent, every call, every verdict.

    TASK is the first column of `sluice tasks parked` or its beginning, an operation id or a golden key.
    """
    with plain_errors(), _opened(platform) as (reader, codec, platforms):
        found = _one(reader, platforms, task)
        told = {
            **_summary(found),
            **_handed_over(codec, found),
            "wanted": _wanted(codec, found),
            "intent": _intent(found.intent),
            "calls": [_call(one) for one in tasks.calls(reader, codec, found)],
            "verdicts": [_verdict(one) for one in tasks.verdicts(reader, codec, found)],
        }
    click.echo(json.dumps(told, indent=2) if as_json else "\n".join(lines(told, "")))


def _handed_over(codec: Codec, found: Found) -> dict[str, Any]:
    """The account that was asked first, of a command that came from there because that was away."""
    value = found.task.wanted.value if found.task.wanted.kind is Kind.COMMAND else b""
    asked = codec.decode(value).get("rerouted_from") if value else None
    return {"rerouted_from": asked} if asked else {}


def _wanted(codec: Codec, found: Found) -> dict[str, Any]:
    """The record as it is to be held; none is kept of what is dead."""
    value = found.task.wanted.value
    if found.task.wanted.kind is Kind.FETCH or not value:
        return {}
    record = codec.decode(value)["record"]
    return dict(plain_record(codec.decode(record))) if record else {}


def _intent(intent: Intent | None) -> dict[str, Any]:
    if intent is None:
        return {}
    return {
        "sent_at": _when(round(intent.sent_at * 1e6)),
        "known_what_became_of_it": not intent.open,
        "vendor_key": intent.vendor_key,
        "first_used": _when(round(intent.first_use * 1e6)) if intent.first_use else "",
        "requests": [_request(one) for one in intent.frozen],
    }


def _request(one: Frozen) -> dict[str, Any]:
    return {"request": f"{one.method} {one.path}", "query": dict(one.query), "body": one.body.decode(errors="replace")}


def _call(one: Mapping[str, Any]) -> dict[str, Any]:
    names = ("operation", "attempt", "method", "endpoint", "status", "outcome", "latency_ms")
    return {"at": f"{one['at']:%Y-%m-%d %H:%M:%S}", **{name: one[name] for name in names}}


def _verdict(one: Mapping[str, Any]) -> dict[str, Any]:
    return {"at": f"{one['decided_at']:%Y-%m-%d %H:%M:%S}", **{name: one[name] for name in ("verdict", "by", "why")}}


# ------------------------------------------------------------------------------------------- resolve


@group.command()
@click.argument("task")
@click.argument("verdict", type=click.Choice([one.value for one in Verdict]))
@click.option("--by", required=True, help="Who decides.")
@click.option("--why", required=True, help="What was found out, e.g. 'order 1042 is there, id 77'.")
@click.option("--wait", default=20.0, show_default=True, help="Seconds to wait for the courier.")
@_platform
def resolve(task: str, verdict: str, by: str, why: str, wait: float, platform: str | None) -> None:
    """Decide about TASK: retry (send it again), done (it was carried out) or discard (give it up, as a dead letter).

    The verdict is a record that the courier carries out in the transaction in which it consumes it, so it counts once
    and stays as the record of who decided what. It is about the version that is parked now and about no other.
    """
    with plain_errors(), _opened(platform) as (reader, codec, platforms):
        found = _one(reader, platforms, task)
        if not tasks.is_parked(found):
            raise Unanswered(f"{found.name} at {found.account} is {found.task.status}, so there is nothing to decide")
        value = tasks.verdict(codec, found, Verdict(verdict), by=by, why=why, now=time.time_ns() // 1000)
        _tell(load_settings(), found, value)
        carried_out = _carried_out(reader, found, wait)
    what = f"{verdict}: {found.name} at {found.account}"
    if not carried_out:
        raise Unanswered(
            f"{what} is written, but the courier has not carried it out within {wait:g} s; likely it is not running: "
            f"it will when it starts. Look with `sluice tasks show {found.handle}`, do not decide again"
        )
    click.echo(what)


def _tell(settings: Settings, found: Found, value: bytes) -> None:
    producer = Producer({**settings.librdkafka(), "acks": "all", "enable.idempotence": True})
    producer.produce(settings.topic_prefix + topics.tasks(found.platform), value, tasks.verdict_key(found), found.shard)
    if producer.flush(30):
        raise Unanswered("the broker did not take the verdict within 30 s; see `sluice stack status`")


def _carried_out(reader: TopicReader, found: Found, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while True:
        now = tasks.find(reader, (found.platform,), lambda one: one.handle == found.handle)
        if not now or now[0].task != found.task:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_AGAIN)


# ------------------------------------------------------------------------------------------- shared


@contextmanager
def _opened(platform: str | None) -> Iterator[tuple[TopicReader, Codec, tuple[str, ...]]]:
    settings = load_settings()
    platforms = (platform,) if platform else topics.PLATFORMS
    needed = [name for one in platforms for name in (topics.courier_changelog(one), topics.tasks(one))]
    with closing(open_reader(settings, [*needed, topics.CALLS])) as reader:
        yield reader, open_codec(settings.registry, settings.schema_cache), platforms


def _one(reader: TopicReader, platforms: tuple[str, ...], named: str) -> Found:
    def meant(one: Found) -> bool:
        return one.handle.startswith(named) or named in (one.name, one.row)

    found = tasks.find(reader, platforms, meant) if named else []
    if len(found) == 1:
        return found[0]
    if not found:
        raise Unanswered(f"no task {named!r} is open; `sluice tasks parked` lists those that wait for a person")
    several = ", ".join(f"{one.handle} ({one.account})" for one in found)
    raise Unanswered(f"{named!r} may mean {several}; name one by its first column")


def _when(micros: int) -> str:
    return f"{datetime.fromtimestamp(micros / 1e6, UTC):%Y-%m-%d %H:%M:%S}"
