"""`sluice state`: the rows of every role, read, digested and compared with what their inputs say."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from connectors.kit.errors import Misconfigured
from schemas.identity import InvalidKey
from schemas.registry import open_codec
from schemas.topics import PLATFORMS
from streams.cli.answers import lines, plain_errors
from streams.cli.stateverify import verify
from streams.runtime import rowtext, state, statesource
from streams.runtime.config import Config
from streams.runtime.config import load as load_config
from streams.runtime.explain.selection import select
from streams.runtime.settings import Settings
from streams.runtime.settings import load as load_settings
from streams.runtime.statesource import COURIER, ChangelogSource, DiskSource, Source
from streams.runtime.topicreader import open_reader

_ROLES = tuple(statesource.roles())
_role = click.option("--role", type=click.Choice(_ROLES), default="resolver", show_default=True, help="Whose rows.")
_from_disk = click.option(
    "--from-disk",
    type=click.Path(path_type=Path),
    help="Read the stores of a stopped process under this folder instead of the changelog.",
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Whose rows, and how they are read and named."""

    role: str
    source: Source
    names: rowtext.Names
    tenants: frozenset[str]


@click.group(name="state")
def group() -> None:
    """Rows of the roles: look at them, digest them, compare them with their inputs."""


group.add_command(verify)


# ------------------------------------------------------------------------------------------- dump


@group.command()
@click.argument("which", default="")
@_role
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(rowtext.KINDS), help="Only rows of this kind; may be repeated."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@_from_disk
def dump(which: str, role: str, kinds: tuple[str, ...], as_json: bool, from_disk: Path | None) -> None:
    """Print the rows of WHICH: a golden key ('acme|price|SKU-1~default~EUR'), a SKU, or what a row's name begins with.

    Without WHICH all rows are printed. Of the resolver there are the kinds entity (who said what), value (what each
    account said, where that is kept), watermark, place (how far an input is applied), grave, deletes (counted for the
    mass-delete brake), clock (as declared by an account's platform), reservations (of a stock), policies (by which the
    shard's entities stand) and ledger; of a courier task, intent, applied, cursor, hole, snapshot, bucket, epoch, route
    (the account that an entity's commands go to, once that is decided) and ledger; of the mapper ledger. Committed rows
    only; a row that this version cannot read is shown in hex.
    """
    with plain_errors(), _asked(role, from_disk) as asked:
        found = 0
        for row in _decoded(asked, which, kinds):
            found += 1
            click.echo(json.dumps(row) if as_json else _block(row))
        if not found:
            raise click.ClickException(_nothing(asked, which, kinds))


def _decoded(asked: _Asked, which: str, kinds: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    matches = _matching(which, asked.tenants)
    courier = asked.role.startswith(COURIER)

    def keep(key: bytes) -> bool:
        """Most rows are of entities; those of others are not held."""
        return (
            courier or key[:1] not in rowtext.OF_ENTITIES or matches(rowtext.golden_key(key).decode(errors="replace"))
        )

    for shard in asked.source.shards():
        for key, row in sorted(asked.source.rows(shard, keep).items()):
            content = rowtext.decode(courier, key, row.value, asked.names)
            if matches(content["name"]) and (not kinds or content["row"] in kinds):
                yield {"shard": shard, "offset": row.offset, **content}


def _matching(which: str, tenants: frozenset[str]) -> Callable[[str], bool]:
    """By the beginning of a name, or of what stands behind a courier's account in it; a SKU also stands for all its
    entities, in every spelling."""
    try:
        chosen = select(which, tenants) if which else None
    except InvalidKey:
        chosen = None

    def matches(name: str) -> bool:
        return any(
            part.startswith(which) or (chosen is not None and chosen.matches(part))
            for part in (name, name.partition(" ")[2])
        )

    return matches


def _nothing(asked: _Asked, which: str, kinds: tuple[str, ...]) -> str:
    shards = asked.source.shards()
    what = f"{' or '.join(kinds) or 'any kind'} whose name begins with {which!r}" if which or kinds else "any kind"
    return (
        f"the {asked.role} has no row of {what}; read was {asked.source.told(shards[0])}"
        f"{f' and {len(shards) - 1} more' if shards[1:] else ''}. Likely the name is spelt differently, or nothing of "
        f"it has come yet: `sluice ledger` shows what was received"
    )


def _block(row: Mapping[str, Any]) -> str:
    place = f"shard {row['shard']}" + ("" if row["offset"] is None else f", offset {row['offset']}")
    content = row.get("says") or {"unreadable": row.get("unreadable"), "hex": row.get("hex")}
    return "\n".join([f"{row['row']}  {row['name']}  ({place})", *lines(content, "  ")])


# ------------------------------------------------------------------------------------------- digest


@group.command()
@_role
@click.option("--every-row", is_flag=True, help="Over all rows as they are, not over what a replay agrees on.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@_from_disk
def digest(role: str, every_row: bool, as_json: bool, from_disk: Path | None) -> None:
    """Print a digest of each shard's rows and one of all.

    Of the resolver they cover what any replay of its inputs agrees on: per entity the winner, its content and every
    account's version, corrected time and op. So two installations that were fed the same have the same digests. Other
    roles have no such rows: --every-row covers all rows byte for byte, e.g. to compare a disk with its changelog.
    """
    if role != "resolver" and not every_row:
        raise click.UsageError(f"the rows of the {role} are not a fold of a log; ask for --every-row")
    with plain_errors(), _asked(role, from_disk) as asked:
        rows = {shard: _digested(asked.source, shard, every_row=every_row) for shard in asked.source.shards()}
    digests = {shard: state.digest(kept) for shard, kept in rows.items()}
    counts = {shard: len(kept) for shard, kept in rows.items()}
    whole = state.overall(digests)
    if as_json:
        shards = [{"shard": shard, "rows": counts[shard], "digest": one} for shard, one in digests.items()]
        click.echo(json.dumps({"role": role, "rows": sum(counts.values()), "digest": whole, "shards": shards}))
        return
    for shard, one in digests.items():
        click.echo(f"shard {shard:<4} {one}  {counts[shard]} rows")
    click.echo(f"all        {whole}  {sum(counts.values())} rows")


def _digested(source: Source, shard: int, *, every_row: bool) -> dict[bytes, bytes]:
    if every_row:
        return {key: row.value for key, row in source.rows(shard, lambda key: True).items()}
    entities = source.rows(shard, lambda key: key[:1] == state.ENTITY)
    return state.replayable((key, row.value) for key, row in entities.items())


# ------------------------------------------------------------------------------------------- shared


@contextmanager
def _asked(role: str, from_disk: Path | None) -> Iterator[_Asked]:
    settings = load_settings()
    config = _config(settings)
    accounts = config.accounts if config else {}
    names = rowtext.Names.of(accounts, open_codec(settings.registry, settings.schema_cache))
    tenants = frozenset(tenant for tenant, _ in accounts)
    changelog = statesource.roles()[role]
    if from_disk is not None:
        source = DiskSource(from_disk, settings.topic_prefix + changelog)
        for shard in source.shards():
            click.echo(f"shard {shard}: {source.told(shard)}", err=True)
        yield _Asked(role, source, names, tenants)
        return
    with closing(open_reader(settings, [changelog])) as reader:
        yield _Asked(role, ChangelogSource(reader, changelog), names, tenants)


def _config(settings: Settings) -> Config | None:
    """Rows can be looked at without the file; accounts are then shown by their hash."""
    try:
        return load_config(
            settings.config_file,
            PLATFORMS,
            with_secrets=False,
            policies=settings.policies_file,
            flows=settings.flows_file,
        )
    except Misconfigured as error:
        click.echo(f"accounts are shown by their hash: {error}", err=True)
        return None
