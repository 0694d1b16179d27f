"""`sluice state verify`: whether the resolver's rows are what its inputs say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from schemas.registry import open_codec
from schemas.topics import PLATFORMS
from streams.cli.answers import Unanswered, lines, plain_errors
from streams.runtime import rowtext
from streams.runtime.config import load as load_config
from streams.runtime.settings import load as load_settings

if TYPE_CHECKING:
    from streams.testing.replay import Checked

_ANEW = "a resolver that is started with it folds them anew"
EQUAL, DIFFERENT, NOT_COMPARABLE = 0, 1, 3  # exit codes; 2: the question could not be asked


@click.command()
@click.option("--shard", "shards", multiple=True, type=click.IntRange(min=0), help="Only this one; may be repeated.")
@click.option("--show", default=5, show_default=True, type=click.IntRange(min=0), help="Entities to show per shard.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_context
def verify(ctx: click.Context, shards: tuple[int, ...], show: int, as_json: bool) -> None:
    """Replay the resolver's inputs from their beginning, in memory, and compare the rows it keeps with the outcome.

    Exit 0: they are equal. 1: they differ, and the first entities that do are shown with both contents. 3: retention
    has cut an input, so that no replay can tell. 2: the question could not be asked.

    The rules are those of the configuration as it is now. The roles may run meanwhile: each shard is compared at the
    place up to which it had applied its inputs. Reads all of inbound; memory holds the entities of one shard.
    """
    from streams.testing.replay import Replay  # brings the resolver along, and with it everything a process needs

    with plain_errors():
        settings = load_settings()
        config = load_config(
            settings.config_file,
            PLATFORMS,
            with_secrets=False,
            policies=settings.policies_file,
            flows=settings.flows_file,
        )
        codec = open_codec(settings.registry, settings.schema_cache)
        names = rowtext.Names.of(config.accounts, codec)
        with closing(Replay(settings, config, codec)) as replay:
            checked = []
            for shard in _asked(shards, replay.shards()):
                checked.append(replay.check(shard))
                if not as_json:
                    click.echo("\n".join(_verdict(checked[-1], show, names)))
    if as_json:
        click.echo(json.dumps(_as_data(checked, show, names), indent=2))
    else:
        click.echo(_summary(checked))
    ctx.exit(_exit_code(checked))


def _asked(wanted: tuple[int, ...], there: list[int]) -> list[int]:
    unknown = sorted(set(wanted) - set(there))
    if unknown:
        raise Unanswered(f"there is no shard {unknown[0]}; the resolver has shards 0 to {there[-1]}")
    return sorted(set(wanted)) or there


def _exit_code(checked: list[Checked]) -> int:
    if any(one.differences for one in checked):
        return DIFFERENT
    return NOT_COMPARABLE if any(one.cut for one in checked) else EQUAL


def _verdict(one: Checked, show: int, names: rowtext.Names) -> Iterator[str]:
    if one.cut:
        yield f"shard {one.shard}: cannot be compared: {one.cut}"
        return
    said = "equal" if one.equal else f"DIFFERENT in {len(one.differences)} entities"
    yield f"shard {one.shard}: {said}; {one.entities} entities kept, {one.events} events replayed, digest {one.kept}"
    if one.other_rules:
        types = ", ".join(one.other_rules)
        yield f"  its entities of {types} stand by other policies than the configuration's: {_ANEW}"
    for each in one.differences[:show]:
        yield f"  {each.golden_key}"
        for what, entity in (("kept", each.kept), ("replayed", each.replayed)):
            yield f"    {what}{'' if entity else ': no row'}"
            yield from lines(rowtext.entity(entity, names) if entity else {}, "      ")
    if one.differences[show:]:
        yield f"  and {len(one.differences) - show} more; --show {len(one.differences)} shows them all"


def _summary(checked: list[Checked]) -> str:
    wrong, cut = sum(len(one.differences) for one in checked), [one.shard for one in checked if one.cut]
    rest = f"; shards {', '.join(map(str, cut))} could not be compared" if cut else ""
    if wrong:
        return (
            f"different: {wrong} entities{rest}. Likely rules, flows or a clock_epoch were changed after the events "
            f"(`sluice explain` names the revision that decided), or rows are damaged: `sluice state dump` shows them"
        )
    if cut:
        return f"not comparable{rest}: a replay needs the log from its beginning; no difference in the other shards"
    return f"equal: {len(checked)} shards, {sum(one.entities for one in checked)} entities"


def _as_data(checked: list[Checked], show: int, names: rowtext.Names) -> dict[str, Any]:
    def told(entity: Any) -> Any:
        return rowtext.entity(entity, names) if entity else None

    shards = [
        {
            "shard": one.shard, "equal": one.equal, "cut": one.cut, "entities": one.entities, "events": one.events,
            "kept": one.kept, "replayed": one.replayed, "different": len(one.differences),
            "other_rules": list(one.other_rules),
            "differences": [
                {"golden_key": each.golden_key, "kept": told(each.kept), "replayed": told(each.replayed)}
                for each in one.differences[:show]
            ],
        }
        for one in checked
    ]  # fmt: skip
    return {"equal": all(one.equal for one in checked), "shards": shards}
