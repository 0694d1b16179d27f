"""`sluice schemas`: the contract with everyone who reads our topics, and the registry that serves it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import click

from schemas import gate, registration
from schemas.codec import load, names
from schemas.registry_client import PATIENCE, HttpRegistry, RegistryError
from schemas.subjects import registered_names, strictest, subjects

prefix_option = click.option(
    "--prefix",
    default="sluice.",
    envvar="SLUICE_TOPIC_PREFIX",
    show_default=True,
    show_envvar=True,
    help="What all topic names begin with.",
)


@click.group()
def schemas() -> None:
    """The Avro schemas: their history, their promises, their registry."""


@schemas.command("list")
@prefix_option
def list_(prefix: str) -> None:
    """List every schema: name, compatibility, number of frozen versions, subjects."""
    frozen = gate.history()
    for name in registered_names():
        versions = sum(version.name == name for version in frozen)
        own = [subject.subject for subject in subjects(prefix) if subject.name == name]
        click.echo(f"{name:<16}  {strictest(name).value:<19}  {versions:>3}  {' '.join(own)}")


@schemas.command()
@click.argument("name")
def show(name: str) -> None:
    """Print the schema NAME as a registry gets it: self-contained."""
    if name not in names():
        raise click.ClickException(f"no schema {name!r}; there are: {', '.join(names())}")
    click.echo(json.dumps(load(name), indent=2, ensure_ascii=False))


@schemas.command()
def check() -> None:
    """Compare every schema with its history; exit 1 when one may not be released as it is."""
    _refuse(gate.problems())
    click.echo(f"{len(registered_names())} schemas keep what {len(gate.history())} frozen versions promise")


@schemas.command()
def freeze() -> None:
    """Add every changed schema to the history; refuse what breaks its compatibility."""
    try:
        added = gate.freeze()
    except gate.Incompatible as error:
        _refuse(error.reasons)
        return
    for path in added:
        click.echo(f"frozen: {path.relative_to(gate.HISTORY.parent.parent)}; commit it")
    if not added:
        click.echo("no schema was changed since it was frozen")


@schemas.command()
@click.option(
    "--registry",
    "url",
    default="http://127.0.0.1:18080/apis/ccompat/v7",
    envvar="SLUICE_REGISTRY",
    show_default=True,
    show_envvar=True,
    help="URL of the registry's Confluent API.",
)
@prefix_option
def register(url: str, prefix: str) -> None:
    """Register all schemas under all their subjects; what is there already stays as it is."""
    _refuse(gate.problems())
    with _plain_errors():
        outcome = registration.register(HttpRegistry(url, timeout=PATIENCE), prefix)
    for subject in outcome:
        click.echo(f"{'written' if subject.changed else 'there':8} id {subject.id:<4} {subject.subject.subject}")


def _refuse(reasons: list[str]) -> None:
    """Print each reason and exit 1, if there is one."""
    if not reasons:
        return
    for reason in reasons:
        click.echo(reason, err=True)
    raise SystemExit(1)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """What the user can mend is shown as a sentence, not as a traceback."""
    try:
        yield
    except (RegistryError, ValueError) as error:
        raise click.ClickException(str(error)) from error
