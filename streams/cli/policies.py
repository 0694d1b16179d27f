"""`sluice policies`: what is wrong with them, what applies to each type, and what other ones would change."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from connectors import catalog
from schemas.entities import EntityType
from schemas.registry import open_codec
from streams.cli import policydiff
from streams.cli.answers import lines, plain_errors
from streams.core import policyrow
from streams.resolver.dryrun import KINDS, DryRun
from streams.resolver.role import routes_of
from streams.runtime import statesource
from streams.runtime.config import Config
from streams.runtime.config import load as load_config
from streams.runtime.settings import Settings
from streams.runtime.settings import load as load_settings
from streams.runtime.statesource import ChangelogSource
from streams.runtime.topicreader import open_reader

SAME, OTHER = 0, 1  # exit codes of diff; 2: the question could not be asked
_file = click.Path(dir_okay=False, path_type=Path)
_json = click.option("--json", "as_json", is_flag=True, help="For scripts.")


@click.group(name="policies")
def group() -> None:
    """Policies: who wins between accounts, in sluice.yaml or a file policies.yaml of their own."""


# ------------------------------------------------------------------------------------------- check


@group.command()
@click.option(
    "--file", "path", type=_file, help="The policies file. Default: the policies as a resolver would use them."
)
def check(path: Path | None) -> None:
    """Say everything that is wrong with the policies, with line and path. Exit 0: nothing. 2: something."""
    with plain_errors():
        config = _config(load_settings(), path)
    rules = config.rules
    merged = [kind.value for kind, policy in rules.policies.items() if policy.merges]
    put_together = f", put together from parts: {', '.join(merged)}" if merged else ""
    click.echo(f"good: revision {rules.revision}, policies of {len(rules.policies)} types{put_together}")


# ------------------------------------------------------------------------------------------- show


@group.command()
@click.argument("kind", metavar="[TYPE]", required=False, type=click.Choice([one.value for one in EntityType]))
@_json
def show(kind: str | None, as_json: bool) -> None:
    """Print what applies to each type, or to TYPE, defaults included."""
    with plain_errors():
        config = _config(load_settings(), None)
    told = {one.value: _told(config, one) for one in EntityType if kind in (None, one.value)}
    if as_json:
        click.echo(json.dumps({"revision": config.rules.revision, "types": told}, indent=2))
        return
    click.echo(f"revision {config.rules.revision}")
    for name, rules in told.items():
        click.echo("\n".join(["", name, *lines(rules, "  ")]))


def _told(config: Config, kind: EntityType) -> dict[str, Any]:
    policy, ordering = config.rules.policy(kind), config.rules.order(kind)
    groups = policyrow.plain(policy).get("groups", {})
    return {
        "said": "in the file" if kind in config.rules.policies else "nothing, so the default applies",
        "kind": policy.kind.value,
        "owners": list(policy.owners),
        "deletes": policy.deletes.value,
        "partial": policy.partial,
        **({"groups": groups} if groups else {}),
        "ordering": {"mode": ordering.mode.value, "lateness": ordering.lateness, "accounts": dict(ordering.accounts)},
    }


# ------------------------------------------------------------------------------------------- diff


@group.command()
@click.option("--against", "path", type=_file, help="The new policies file. Default: the policies as configured.")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(min=0), help="Entities to show.")
@_json
@click.pass_context
def diff(ctx: click.Context, path: Path | None, limit: int, as_json: bool) -> None:
    """Compare the policies that the running system stands by with new ones, and fold what it has stored by those.

    Shows which rules differ, how many entities of each type would get another winner, the first of them with both
    winners, and how many tasks that would give each account. Nothing is changed. Exit 0: nothing would be. 1: something
    would. 2: the question could not be asked.

    Reads the resolver's changelog whole; memory holds the rows of one shard.
    """
    with plain_errors():
        settings = load_settings()
        run = _folded(settings, _config(settings, path), limit)
    if as_json:
        click.echo(json.dumps(policydiff.data(run.own, run.found), indent=2))
    else:
        click.echo("\n".join(policydiff.text(run.own, run.found)))
    ctx.exit(OTHER if policydiff.changes(run.own, run.found) else SAME)


def _folded(settings: Settings, config: Config, limit: int) -> DryRun:
    changelog = statesource.roles()["resolver"]
    codec = open_codec(settings.registry, settings.schema_cache)
    run = DryRun(routes_of(config), codec, settings.topics(), limit, time.time_ns() // 1000)
    with closing(open_reader(settings, [changelog])) as reader:
        source = ChangelogSource(reader, changelog)
        for number in source.shards():
            rows = source.rows(number, lambda key: key[:1] in KINDS)
            run.shard(number, {key: row.value for key, row in rows.items()})
    return run


def _config(settings: Settings, path: Path | None) -> Config:
    """With another policies file, if one is given; what stands inline counts for nothing then."""
    return load_config(
        settings.config_file,
        catalog.NAMES,
        with_secrets=False,
        policies=path or settings.policies_file,
        inline=path is None,
        flows=settings.flows_file,
    )
