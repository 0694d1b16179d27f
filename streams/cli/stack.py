"""`sluice stack`: a real Kafka and a real schema registry on this computer, without Docker."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from streams.stack.errors import StackError
from streams.stack.follow import follow
from streams.stack.layout import DEFAULT_DIRECTORY, Endpoints, Layout, StackOptions, cache_folder
from streams.stack.process import tail
from streams.stack.stack import LocalStack, StackStatus

LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR")

directory_option = click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_DIRECTORY,
    envvar="SLUICE_STACK_DIR",
    show_default=True,
    show_envvar=True,
    help="Data folder; one stack each.",
)
grace_option = click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=15.0,
    envvar="SLUICE_STACK_GRACE",
    show_default=True,
    show_envvar=True,
    help="Seconds a server gets to stop before it is killed.",
)


def _say(message: str) -> None:
    """Progress goes to standard error: standard output belongs to what a script may want to read."""
    click.echo(message, err=True)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """What the user can mend is shown as a sentence, not as a traceback."""
    try:
        yield
    except StackError as error:
        raise click.ClickException(str(error)) from error


@click.group()
def stack() -> None:
    """A real Kafka and a real schema registry on this computer, without Docker.

    Both run on the Java that comes with Sluice. Their jars are fetched once from Maven Central (this needs Maven) and
    kept in the cache; every later start takes seconds and no network.
    """


def _up_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of `up`, each with its variable."""
    heap = click.IntRange(min=64)
    options = [
        click.option("--brokers", type=click.IntRange(1, 5), envvar="SLUICE_STACK_BROKERS", show_envvar=True,
                     help="Kafka nodes; 3 for fault tests. Default: as the data folder has them, else 1."),
        click.option("--kafka-port", type=click.IntRange(0, 65000), envvar="SLUICE_STACK_KAFKA_PORT", show_envvar=True,
                     help="Port of broker 1, its controller one higher, the next broker two higher. 0: any free ports. "
                     "Default: as last time, else 19092."),
        click.option("--registry-port", type=click.IntRange(0, 65535), envvar="SLUICE_STACK_REGISTRY_PORT",
                     show_envvar=True, help="0: any free port. Default: as last time, else 18080."),
        click.option("--ports", type=click.Choice(["fixed", "auto"]), default="fixed", envvar="SLUICE_STACK_PORTS",
                     show_default=True, show_envvar=True,
                     help="auto: any free port for each that is not given, so that stacks run side by side."),
        click.option("--kafka-heap", type=heap, default=512, envvar="SLUICE_STACK_KAFKA_HEAP", show_default=True,
                     show_envvar=True, help="Heap of each broker in MiB."),
        click.option("--registry-heap", type=heap, default=256, envvar="SLUICE_STACK_REGISTRY_HEAP", show_default=True,
                     show_envvar=True, help="Heap of the registry in MiB."),
        click.option("--log-level", type=click.Choice(LEVELS, case_sensitive=False), default="INFO",
                     envvar="SLUICE_STACK_LOG_LEVEL", show_default=True, show_envvar=True, help="Of both servers."),
        click.option("--timeout", type=click.FloatRange(min=1), default=120.0, envvar="SLUICE_STACK_TIMEOUT",
                     show_default=True, show_envvar=True, help="Seconds until the servers must answer."),
        click.option("--cache", type=click.Path(file_okay=False, path_type=Path), envvar="SLUICE_CACHE",
                     show_envvar=True, help="Where jars are kept. Default: sluice below XDG_CACHE_HOME or ~/.cache."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@stack.command()
@directory_option
@_up_options
def up(
    directory: Path,
    brokers: int | None,
    kafka_port: int | None,
    registry_port: int | None,
    ports: str,
    kafka_heap: int,
    registry_heap: int,
    log_level: str,
    timeout: float,
    cache: Path | None,
) -> None:
    """Start what does not run yet; return when it serves."""
    if ports == "auto":
        kafka_port, registry_port = kafka_port or 0, registry_port or 0
    options = StackOptions(
        directory=directory,
        brokers=brokers,
        kafka_port=kafka_port,
        registry_port=registry_port,
        kafka_heap_mib=kafka_heap,
        registry_heap_mib=registry_heap,
        log_level=log_level.upper(),
        ready_timeout=timeout,
    )
    begun = time.monotonic()
    with _plain_errors():
        where = LocalStack(options, cache=cache.expanduser().resolve() if cache else cache_folder(), report=_say).up()
    _say(f"ready after {time.monotonic() - begun:.1f} s; for other commands of Sluice:")
    _print_endpoints(where)


def _print_endpoints(where: Endpoints) -> None:
    """As a shell takes it: `eval "$(sluice stack up)"`."""
    click.echo(f"export SLUICE_BOOTSTRAP={where.bootstrap}")
    click.echo(f"export SLUICE_REGISTRY={where.registry}")


@stack.command()
@directory_option
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_context
def status(ctx: click.Context, directory: Path, as_json: bool) -> None:
    """Show what runs; exit 1 unless all of it serves."""
    with _plain_errors():
        now = LocalStack(StackOptions(directory=directory)).status()
    if as_json:
        click.echo(json.dumps({"ready": now.ready, **asdict(now)}, indent=2))
    elif now.endpoints is None:
        click.echo(f"{directory} holds no stack yet: `sluice stack up` makes one.")
    else:
        Console().print(_table(now))
        _print_endpoints(now.endpoints)
    ctx.exit(0 if now.ready else 1)


def _table(now: StackStatus) -> Table:
    table = Table("server", "pid", "ports", "uptime", "memory", "ready")
    for server in now.servers:
        table.add_row(
            server.name,
            "-" if server.pid is None else str(server.pid),
            ", ".join(map(str, server.ports)),
            "-" if server.uptime_seconds is None else _duration(server.uptime_seconds),
            "-" if server.rss_bytes is None else f"{server.rss_bytes / 2**20:.0f} MiB",
            "yes" if server.ready else "no",
        )
    return table


def _duration(seconds: float) -> str:
    """12s, 3m12s, 5h03m: the two units that matter."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


@stack.command()
@directory_option
@click.argument("server", required=False)
@click.option("-n", "lines", type=click.IntRange(min=0), default=50, show_default=True, help="Lines from the end.")
@click.option("-f", "following", is_flag=True, help="Go on as lines arrive, until Ctrl-C.")
def logs(directory: Path, server: str | None, lines: int, following: bool) -> None:
    """Show the log of SERVER: kafka (all brokers), kafka-2, registry. Default: all."""
    layout = Layout.of(directory)
    names = [name for name in layout.names() if server in (None, name, name.partition("-")[0])]
    if not names:
        known = ", ".join(layout.names()) or f"none in {directory}, `sluice stack up` makes some"
        raise click.ClickException(f"no log of {server or 'any server'}; there is: {known}")
    width = max(map(len, names)) if len(names) > 1 else 0
    for name in names:
        for line in tail(layout.log(name), lines):
            _print_line(name, line, width)
    if following:
        for name, line in follow({name: layout.log(name) for name in names}):
            _print_line(name, line, width)


def _print_line(name: str, line: str, width: int) -> None:
    """With the server's name in front when there are several."""
    click.echo(f"{name:<{width}} | {line}" if width else line)


@stack.command()
@directory_option
@grace_option
def down(directory: Path, grace: float) -> None:
    """Stop the servers; the data stays."""
    with _plain_errors():
        stopped = LocalStack(StackOptions(directory=directory, stop_timeout=grace), report=_say).down()
    click.echo(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")


@stack.command()
@directory_option
@grace_option
def reset(directory: Path, grace: float) -> None:
    """Stop the servers and delete their data: all topics, all offsets, all schemas."""
    with _plain_errors():
        deleted = LocalStack(StackOptions(directory=directory, stop_timeout=grace), report=_say).reset()
    for path in deleted:
        click.echo(f"deleted {path}")
    if not deleted:
        click.echo(f"{directory} holds no stack: nothing to delete")
