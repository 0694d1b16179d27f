"""`sluice run`: one role as this process, or all of them as a process tree."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path

import click

from connectors import catalog
from connectors.kit import log
from connectors.kit.errors import Misconfigured
from schemas.admin import TopicError
from schemas.codec import CodecError
from streams.runtime.config import Config
from streams.runtime.config import load as load_config
from streams.runtime.settings import Settings
from streams.runtime.settings import load as load_settings
from streams.runtime.supervise import Supervisor


@click.group()
def run() -> None:
    """Run a role until SIGTERM; settings are SLUICE_* variables, see `sluice config show`."""


def _start(
    role: str,
    work: Callable[[Settings, Config], None],
    *,
    settings_of: Collection[str] = (),
    secrets_of: Collection[str] = (),
) -> None:
    """`settings_of`, `secrets_of`: platforms whose accounts' settings are checked and whose secrets are read; a role
    fails for nothing it does not use and holds nothing it does not need."""
    try:
        settings = load_settings()
        log.configure(settings.log_level, settings.log_format, role=role)
        check = catalog.checking(settings_of)
        config = load_config(
            settings.config_file,
            catalog.NAMES,
            catalog.supports,
            secrets_of=secrets_of,
            check=check,
            policies=settings.policies_file,
            flows=settings.flows_file,
            reroutable=catalog.reroutable,
        )
        work(settings, config)
    except (Misconfigured, TopicError, CodecError) as error:
        raise click.ClickException(str(error)) from error


def _with_webhooks() -> list[str]:
    return [name for name, platform in catalog.platforms().items() if platform.source is not None]


@run.command()
def receiver() -> None:
    """Webhooks -> raw.<platform>; 2xx only after the broker has them."""
    from streams.receiver import role

    _start("receiver", role.start, settings_of=_with_webhooks(), secrets_of=_with_webhooks())


@run.command()
def mapper() -> None:
    """raw.<platform> -> inbound, xref, fetch requests, dead letters."""
    from streams.mapper import role

    _start("mapper", role.run, settings_of=catalog.NAMES)


@run.command()
def resolver() -> None:
    """inbound -> state, events, decisions, push."""
    from streams.resolver import role

    _start("resolver", role.run)


@run.command()
@click.option("--platform", type=click.Choice(catalog.NAMES), required=True, help="Whose accounts are called.")
def courier(platform: str) -> None:
    """push, fetch -> the platform's APIs, paced; polls and answers -> raw.<platform>."""
    from streams.courier import role

    def work(settings: Settings, config: Config) -> None:
        role.run(settings, config, platform)

    _start(f"courier-{platform}", work, settings_of=[platform], secrets_of=[platform])


@run.command(name="all")
@click.option("--logs", default=".sluice/logs", show_default=True, help="Folder of the roles' logs.")
def everything(logs: str) -> None:
    """Every role in one process tree, restarted when it ends; for development."""
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: stopping.append(received))
    tree = Supervisor(Path(logs), report=click.echo)
    for name, arguments in roles().items():
        tree.start(name, [sys.executable, "-m", "streams.cli.main", "run", *arguments])
        click.echo(f"{name}: log in {tree.children[name].log}")
    while not stopping:
        tree.watch()
        time.sleep(0.1)
    codes = tree.stop()
    click.echo(", ".join(f"{name} ended with {code}" for name, code in codes.items()))


def roles() -> dict[str, list[str]]:
    """Process name -> arguments of `sluice run`, for every role there is."""
    couriers = {
        f"courier-{name}": ["courier", "--platform", name]
        for name in catalog.NAMES
        if catalog.platform(name).destination is not None
    }
    return {"receiver": ["receiver"], "mapper": ["mapper"], "resolver": ["resolver"], **couriers}
