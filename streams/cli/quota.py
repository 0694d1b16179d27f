"""`sluice quota`: how every vendor's quota stands, and who used it. Both are told from the topic `calls` alone."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.live import Live as Screen

from connectors import catalog
from connectors.kit.limits import Limit
from schemas import topics
from schemas.registry import open_codec
from streams.cli.answers import plain_errors
from streams.runtime.quota import markdown, tables
from streams.runtime.quota.audit import Audit
from streams.runtime.quota.calls import Follower
from streams.runtime.quota.live import Live, Standing
from streams.runtime.settings import load as load_settings
from streams.runtime.topicreader import open_reader

MINUTE, HOUR = 60.0, 3600.0  # seconds
_PIPE = 240  # columns
_account = click.option("--account", default="", help="Only this one: tenant|account, or without its tenant.")


@click.group(name="quota", invoke_without_command=True)
@click.option("--minutes", type=click.FloatRange(min=0.1), default=5.0, show_default=True, help="How far back to look.")
@_account
@click.option("--json", "as_json", is_flag=True, help="For scripts: one object; with --watch one per line.")
@click.option(
    "--watch", type=click.FloatRange(min=0.2), default=None, metavar="SECONDS", help="Show it anew, until interrupted."
)
@click.pass_context
def group(ctx: click.Context, minutes: float, account: str, as_json: bool, watch: float | None) -> None:
    """How every bucket stands: level, limit, refill, what rivals take of it, until when it is blocked or when empty.

    Told from the calls of the last minutes, so it needs the broker and nothing else. "net" is what came into the bucket
    beside what we took; what it lacks of the advertised refill is taken by others, or was cut without a word. "load" is
    what all together use of the refill. A level with ~ is our own account: the API reports none.
    """
    if ctx.invoked_subcommand is not None:
        return
    with plain_errors(), _following(time.time() - minutes * MINUTE, account) as follower:
        live = Live(minutes * MINUTE, limits_of)
        if watch is not None:
            _watch(follower, live, watch, as_json)
            return
        now = _caught_up(follower, live)
        found = live.standings(now)
        if not found:
            raise click.ClickException(_nothing(f"the last {minutes:g} minutes", account, "--minutes"))
        if as_json:
            click.echo(_as_json(found, now, indent=2))
        else:
            _console().print(tables.standings(found, now))


@group.command()
@click.option("--since", type=click.DateTime(), help="UTC. Default: 24 hours before --until.")
@click.option("--until", type=click.DateTime(), help="UTC. Default: now.")
@_account
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "markdown"]), default="table", show_default=True,
    help="markdown: a report to send to a vendor.",
)  # fmt: skip
def audit(since: datetime | None, until: datetime | None, account: str, form: str) -> None:
    """Who used which API how much, beside what its vendor documents, with source and date.

    Calls are kept for 30 days. Per operation: calls, cost in the API's units, refusals, failures, latency, the busiest
    minute, and what that left of the refill.
    """
    end = time.time() if until is None else until.replace(tzinfo=UTC).timestamp()
    start = end - 24 * HOUR if since is None else since.replace(tzinfo=UTC).timestamp()
    if start >= end:
        raise click.BadParameter("must be before --until", param_hint="--since")
    found = Audit(start, end, limits_of)
    with plain_errors(), _following(start, account) as follower:
        for call in follower.read():
            found.add(call)
    if not found.buckets:
        raise click.ClickException(
            _nothing(f"the time from {tables.when(start)} to {tables.when(end)}", account, "--since")
        )
    if form == "json":
        click.echo(json.dumps(tables.audit_data(found), indent=2))
    elif form == "markdown":
        click.echo(markdown.report(found), nl=False)
    else:
        _console().print(tables.audit(found))


def limits_of(platform: str) -> tuple[Limit, ...]:
    """What a platform documents; nothing for one that this version does not know."""
    return tuple(catalog.platform(platform).limits) if platform in catalog.NAMES else ()


def _console() -> Console:
    """A terminal's own width; a pipe gets lines that are wide enough for everything."""
    console = Console()
    return console if console.is_terminal else Console(width=_PIPE)


def _watch(follower: Follower, live: Live, seconds: float, as_json: bool) -> None:
    """Until interrupted, which is how it ends and no error."""
    with (
        suppress(KeyboardInterrupt),
        nullcontext() if as_json else Screen(console=_console(), auto_refresh=False) as screen,
    ):
        while True:
            now = _caught_up(follower, live)
            found = live.standings(now)
            if screen is None:
                click.echo(_as_json(found, now))
            else:
                screen.update(tables.standings(found, now), refresh=True)
            time.sleep(seconds)


def _caught_up(follower: Follower, live: Live) -> float:
    """Take in what was committed. Returns the time as of which that is."""
    for call in follower.read():
        live.add(call)
    return time.time()


def _as_json(found: list[Standing], now: float, indent: int | None = None) -> str:
    buckets = [tables.standing_data(one, now) for one in found]
    return json.dumps({"at": tables.when(now), "buckets": buckets}, indent=indent)


@contextmanager
def _following(since: float, account: str) -> Iterator[Follower]:
    settings = load_settings()
    codec = open_codec(settings.registry, settings.schema_cache)
    with closing(open_reader(settings, [topics.CALLS])) as reader:
        yield Follower(reader, codec, since, account)


def _nothing(when: str, account: str, option: str) -> str:
    whose = f" of account {account!r}" if account else ""
    return (
        f"no call{whose} was recorded in {when}. Likely no courier runs, nothing had to be read or written, or "
        f"the prefix is another one: `sluice config show` shows it, `sluice ledger` what is on its way; "
        f"{option} looks further back"
    )
