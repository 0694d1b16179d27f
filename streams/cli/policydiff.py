"""What `sluice policies diff` found, as text and as data. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from schemas.entities import EntityType
from streams.core import policyrow
from streams.core.policyrow import Standing
from streams.resolver.dryrun import Counts, Found, Moved
from streams.resolver.merging import REST

Rule = tuple[str, str, str]  # path within the type's policy, what it is and what it would be; "-" for nothing


def data(new: Standing, found: Found) -> dict[str, Any]:
    """JSON-ready. `running`: revisions that shards stand by; more than one while a change is under way."""
    differing = rules(new, found)
    return {
        "running": _running(found),
        "new": new.revision,
        "refused": found.refused,
        "rules": {
            kind.value: [{"rule": name, "old": old, "new": now} for name, old, now in several]
            for kind, several in differing.items()
        },
        "types": {kind.value: asdict(counts) for kind, counts in found.types.items()},
        "entities": [asdict(one) for one in found.changed],
        "pushes": dict(sorted(found.pushes.items())),
    }


def text(new: Standing, found: Found) -> list[str]:
    """For people."""
    return [*_head(new, found), *_types(new, found), *_pushes(found), *_entities(new, found)]


def changes(new: Standing, found: Found) -> bool:
    """Whether the new policies would change anything, or be refused."""
    told = any(counts.winners or counts.states for counts in found.types.values())
    return bool(found.refused or found.pushes or told or rules(new, found))


def rules(new: Standing, found: Found) -> dict[EntityType, list[Rule]]:
    """By type what its policy is and would be. Shards that stand by no policies yet have nothing to compare."""
    told: dict[EntityType, list[Rule]] = {}
    for stored in found.stored:
        for kind in stored.differing(new):
            told.setdefault(
                kind, differences(policyrow.plain(stored.policies[kind]), policyrow.plain(new.policies[kind]))
            )
    return {kind: told[kind] for kind in EntityType if kind in told}


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Rule]:
    """Single values that are not the same in two nested mappings."""
    was, will = dict(_flat(old)), dict(_flat(new))
    names = [*was, *(name for name in will if name not in was)]
    return [(name, was.get(name, "-"), will.get(name, "-")) for name in names if was.get(name) != will.get(name)]


def _flat(told: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, one in told.items():
        if isinstance(one, Mapping):
            yield from _flat(one, f"{path}{name}.")
        else:
            yield f"{path}{name}", ", ".join(one) if isinstance(one, list) else str(one).lower()


def _running(found: Found) -> list[int]:
    return sorted({stored.revision for stored in found.stored if stored.revision})


def _head(new: Standing, found: Found) -> Iterator[str]:
    running = _running(found)
    if not running:
        yield f"no shard stands by any policies yet; revision {new.revision} would be the first"
    else:
        under_way = " (a change is under way)" if running[1:] or any(one.unsettled for one in found.stored) else ""
        yield f"running: revision {' and '.join(map(str, running))}{under_way}; new: revision {new.revision}"
    if found.refused:
        yield f"a resolver would refuse the new ones: {found.refused}"


def _types(new: Standing, found: Found) -> Iterator[str]:
    differing = rules(new, found)
    if not differing and not found.types:
        yield "no rule differs"
    for kind in EntityType:
        counts = found.types.get(kind, Counts())
        if kind not in differing and not counts.entities:
            continue
        yield f"\n{kind.value}"
        for name, old, now in differing.get(kind, ()):
            yield f"  {name:<24}{old} -> {now}"
        yield f"  {counts.entities} entities: {counts.winners} with another winner, {counts.states} with another state"
        if counts.unknown:
            yield f"  {counts.unknown} stay as they are until the new winner speaks again: what it said was not kept"


def _pushes(found: Found) -> Iterator[str]:
    if found.types:
        told = ", ".join(f"{count} to {account}" for account, count in sorted(found.pushes.items()))
        yield f"\npushes: {told or 'none'}"


def _entities(new: Standing, found: Found) -> Iterator[str]:
    winners = sum(counts.winners for counts in found.types.values())
    if not winners:
        return
    yield "\nentities with another winner"
    for one in found.changed:
        yield f"  {one.golden_key}"
        kind = EntityType(one.golden_key.split("|", 2)[1])
        yield from (f"    {line}" for line in _moves(one.moved, grouped=bool(new.policies[kind].groups)))
    if winners > len(found.changed):
        yield f"  and {winners - len(found.changed)} more; --limit {winners} shows them all"


def _moves(moved: Sequence[Moved], *, grouped: bool) -> Iterator[str]:
    for one in moved:
        fields = one.group if one.group != REST else "all other fields" if grouped else "all fields"
        yield f"{fields}: {', '.join(one.old)} -> {one.new}"
