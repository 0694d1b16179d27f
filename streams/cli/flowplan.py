"""What `sluice flows plan` found, as text and as data. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from streams.cli.policydiff import Rule, differences
from streams.core.flowrow import Standing
from streams.resolver.planning import Found, Way

Changes = Mapping[str, list[Rule]]  # by flow: path within it, what it is and what it would be


def data(new: Standing, found: Found) -> dict[str, Any]:
    """JSON-ready. `running`: revisions that shards stand by, 0 for flows without one."""
    return {
        "running": _running(found),
        "new": new.revision,
        "refused": found.refused,
        "flows": {
            name: [{"rule": rule, "old": old, "new": now} for rule, old, now in several]
            for name, several in changes(new, found).items()
        },
        "looked_at": {kind.value: count for kind, count in sorted(found.seen.items())},
        "unknown": {kind.value: count for kind, count in sorted(found.unknown.items())},
        "tasks": [
            {**asdict(way), "tasks": count, "fallback": _fallback(new, way)}
            for way, count in sorted(found.tasks.items())
        ],
        "first": [{"golden_key": one.golden_key, **asdict(one.way)} for one in found.first],
    }


def text(new: Standing, found: Found) -> list[str]:
    """For people."""
    return [*_head(new, found), *_flows(new, found), *_seen(found), *_tasks(new, found)]


def sends(found: Found) -> bool:
    """Whether anything would be sent, or the flows be refused."""
    return bool(found.tasks or found.refused)


def changes(new: Standing, found: Found) -> Changes:
    """By flow what it is and would be; what is new has nothing before, what is gone nothing after."""
    told: dict[str, list[Rule]] = {}
    for stored in found.stored:
        for name in stored.differing(new):
            told.setdefault(name, differences(stored.flows.get(name, {}), new.flows.get(name, {})))
    return dict(sorted(told.items()))


def _running(found: Found) -> list[int]:
    return sorted({stored.revision for stored in found.stored if stored.flows})


def _head(new: Standing, found: Found) -> Iterator[str]:
    running = [str(revision or "without") for revision in _running(found)]
    told = f"revision {' and '.join(running)}" if running else "no flows yet"
    yield f"running: {told}; new: revision {new.revision or 'without'}"
    if found.refused:
        yield f"a resolver would refuse the new ones: {found.refused}"


def _flows(new: Standing, found: Found) -> Iterator[str]:
    differing = changes(new, found)
    if not differing:
        yield "no flow differs"
    for name, several in differing.items():
        gone, fresh = name not in new.flows, not any(name in stored.flows for stored in found.stored)
        yield f"\n{name}{' is gone' if gone else ' is new' if fresh else ''}"
        for rule, old, now in [] if gone else several:
            yield f"  {rule:<20}{now if fresh else f'{old} -> {now}'}"


def _seen(found: Found) -> Iterator[str]:
    if not found.seen:
        return
    told = ", ".join(f"{count} of {kind.value}" for kind, count in sorted(found.seen.items()))
    yield f"\nlooked at {told}"
    for kind, count in sorted(found.unknown.items()):
        yield f"  {count} of {kind.value} are moved when they are heard of next: what they say was not kept before"


def _fallback(new: Standing, way: Way) -> str:
    """The account that gets the tasks while the way's own is away; empty when there is none."""
    return str(new.flows.get(way.flow, {}).get("fallback", ""))


def _tasks(new: Standing, found: Found) -> Iterator[str]:
    if not found.tasks:
        yield "\nnothing would be sent"
        return
    yield "\nwould be sent"
    for way, count in sorted(found.tasks.items()):
        other = f", or to {name} while it is away" if (name := _fallback(new, way)) else ""
        yield f"  {count:>7} {way.what:<8} by {way.flow} to {way.account}{other}"
    if found.first:
        yield "\nthe first of them"
        yield from (f"  {one.golden_key}  {one.way.what} by {one.way.flow} to {one.way.account}" for one in found.first)
