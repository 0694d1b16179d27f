"""`sluice config`: what a process would run with, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Column, Table

from connectors import catalog
from connectors.kit.errors import Misconfigured
from streams.runtime import docs as pages
from streams.runtime import show as rows_of
from streams.runtime.config import Config
from streams.runtime.config import load as load_config
from streams.runtime.settings import load as load_settings


@contextmanager
def _plain_errors() -> Iterator[None]:
    """What the user can mend is shown as a sentence, not as a traceback."""
    try:
        yield
    except Misconfigured as error:
        raise click.ClickException(str(error)) from error


@click.group()
def config() -> None:
    """Settings (SLUICE_* variables) and the configuration file (accounts, policies, flows).

    Who wins between accounts is looked at and tried with `sluice policies`.
    """


@config.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def show(as_json: bool) -> None:
    """Print every setting, its value and where it comes from; secrets are masked."""
    with _plain_errors():
        rows = rows_of.rows(load_settings())
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    table = Table(Column("setting", no_wrap=True), Column("value", overflow="fold"), Column("from", no_wrap=True))
    for row in rows:
        table.add_row(row.variable, row.value, row.source)
    Console().print(table)


@config.command()
@click.option(
    "--file",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The configuration file. Default: SLUICE_CONFIG_FILE.",
)
@click.option("--without-secrets", is_flag=True, help="Do not read what secrets refer to, e.g. in CI.")
def check(path: Path | None, without_secrets: bool) -> None:
    """Load settings and configuration file and say what is wrong, with line and path; exit 1 if anything is."""
    with _plain_errors():
        settings = load_settings()
        for text in rows_of.unknown():
            click.echo(f"warning: {text}", err=True)
        found = load_config(
            path or settings.config_file,
            catalog.NAMES,
            catalog.supports,
            with_secrets=not without_secrets,
            check=catalog.checking(),
            policies=settings.policies_file,
            flows=settings.flows_file,
            reroutable=catalog.reroutable,
        )
    click.echo(_summary(found))


def _summary(found: Config) -> str:
    tenants = {tenant for tenant, _ in found.accounts}
    rules = found.rules
    return (
        f"good: {len(tenants)} tenants, {len(found.accounts)} accounts, {len(rules.flows)} flows, "
        f"policies of revision {rules.revision}"
    )


@config.command()
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=pages.FOLDER,
    help="Where the pages stand. Default: docs/ of this source tree.",
)
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit 1 when a page is stale.")
def docs(folder: Path, only_check: bool) -> None:
    """Make docs/settings.md and docs/metrics.md from their catalogues."""
    if not only_check:
        for page in pages.write(folder):
            click.echo(f"written {page}")
    elif stale := pages.stale(folder):
        names = ", ".join(page.name for page in stale)
        raise click.ClickException(f"stale: {names}; run `sluice config docs`")
