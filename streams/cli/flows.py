"""`sluice flows`: what is wrong with them, what there is, and what other ones would send where."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from connectors import catalog
from schemas.registry import open_codec
from streams.cli import flowplan
from streams.cli.answers import Unanswered, lines, plain_errors
from streams.core import flowrow
from streams.core.policy import Flow, TaskKind
from streams.resolver.planning import KINDS, Plan
from streams.resolver.role import routes_of
from streams.runtime import statesource
from streams.runtime.config import Config
from streams.runtime.config import load as load_config
from streams.runtime.settings import Settings
from streams.runtime.settings import load as load_settings
from streams.runtime.statesource import ChangelogSource
from streams.runtime.topicreader import open_reader

NOTHING, SOMETHING = 0, 1  # exit codes of plan; 2: the question could not be asked
_file = click.Path(dir_okay=False, path_type=Path)
_json = click.option("--json", "as_json", is_flag=True, help="For scripts.")


@click.group(name="flows")
def group() -> None:
    """Flows: what is sent where, in sluice.yaml or a file flows.yaml of their own."""


@group.command()
@click.option("--file", "path", type=_file, help="The flows file. Default: the flows as a resolver would use them.")
def check(path: Path | None) -> None:
    """Say everything that is wrong with the flows, with line and path. Exit 0: nothing. 2: something."""
    with plain_errors():
        rules = _config(load_settings(), path).rules
    commands = sum(flow.kind is TaskKind.COMMAND for flow in rules.flows)
    revision = f"revision {rules.flows_revision}" if rules.flows_revision else "without a revision"
    click.echo(f"good: {revision}, {len(rules.flows) - commands} flows of sets, {commands} of commands")


@group.command()
@click.argument("name", metavar="[FLOW]", required=False)
@_json
def show(name: str | None, as_json: bool) -> None:
    """Print every flow, or FLOW, with its defaults."""
    with plain_errors():
        rules = _config(load_settings(), None).rules
        told = {flow.name: _told(flow) for flow in rules.flows if name in (None, flow.name)}
        if name is not None and not told:
            known = ", ".join(flow.name for flow in rules.flows) or "none"
            raise Unanswered(f"there is no flow {name!r}; there are: {known}")
    if as_json:
        click.echo(json.dumps({"revision": rules.flows_revision, "flows": told}, indent=2))
        return
    click.echo(f"revision {rules.flows_revision}" if rules.flows_revision else "without a revision")
    for flow, parts in told.items():
        click.echo("\n".join(["", flow, *lines(parts, "  ")]))


def _told(flow: Flow) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "entity": flow.entity.value,
        "kind": flow.kind.value,
        "when": str(flow.when),
        "from": "any account",
        "to": [],
        "fields": [],
        "lane": flow.lane.value,
        "max_age": "none",
        "hours": "all day",
    }
    sets = {"deletes": flow.deletes.value, "on_drift": flow.on_drift.value}
    own = {"fallback": "none"} if flow.kind is TaskKind.COMMAND else sets
    return {**defaults, **own, **flowrow.plain(flow), "when": str(flow.when)}


@group.command()
@click.option("--against", "path", type=_file, help="The new flows file. Default: the flows as configured.")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(min=0), help="Tasks to show.")
@click.option(
    "--all", "everything", is_flag=True, help="Look at the entities of all flows, not only of those that differ."
)
@_json
@click.pass_context
def plan(ctx: click.Context, path: Path | None, limit: int, everything: bool, as_json: bool) -> None:
    """Compare the flows that the running system moves by with new ones, and say what a resolver that is started with
    these would send, and where: for every stored entity of a flow that is new or differs.

    Nothing is changed or sent. Exit 0: nothing would be sent. 1: something would. 2: the question could not be asked.

    Reads the resolver's changelog whole; memory holds the rows of one shard.
    """
    with plain_errors():
        settings = load_settings()
        run = _planned(settings, _config(settings, path), limit, everything=everything)
    if as_json:
        click.echo(json.dumps(flowplan.data(run.own, run.found), indent=2))
    else:
        click.echo("\n".join(flowplan.text(run.own, run.found)))
    ctx.exit(SOMETHING if flowplan.sends(run.found) else NOTHING)


def _planned(settings: Settings, config: Config, limit: int, *, everything: bool) -> Plan:
    changelog = statesource.roles()["resolver"]
    codec = open_codec(settings.registry, settings.schema_cache)
    now = time.time_ns() // 1000
    run = Plan(routes_of(config), codec, settings.topics(), limit, now, everything=everything)
    with closing(open_reader(settings, [changelog])) as reader:
        source = ChangelogSource(reader, changelog)
        for number in source.shards():
            rows = source.rows(number, lambda key: key[:1] in KINDS)
            run.shard(number, {key: row.value for key, row in rows.items()})
    return run


def _config(settings: Settings, path: Path | None) -> Config:
    """With another flows file, if one is given; what stands inline counts for nothing then."""
    return load_config(
        settings.config_file,
        catalog.NAMES,
        catalog.supports,
        with_secrets=False,
        policies=settings.policies_file,
        flows=path or settings.flows_file,
        inline_flows=path is None,
        reroutable=catalog.reroutable,
    )
