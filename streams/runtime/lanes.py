"""The key `lanes` of an account in `sluice.yaml`, and hours wherever they are written.

lanes:
  floors: {normal: 0.3, bulk: 0.05}
  hours: {bulk: "22:00-06:00"}
  timezone: Europe/Paris
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.kit.errors import Misconfigured
from schemas.entities import Lane
from streams.core import lanes as core
from streams.core.hours import ALL_DAY, Hours, parse
from streams.core.lanes import FLOORS, Lanes
from streams.runtime.document import Document, Node

_KEYS = {"floors", "hours", "timezone"}


def lanes(document: Document, node: Node) -> Lanes:
    """What an account says of its lanes; problems are noted in the document, and the defaults hold instead."""
    keys = document.mapping(node, _KEYS)
    zone = _zone(document, keys["timezone"]) if "timezone" in keys else UTC
    floors = _floors(document, keys["floors"]) if "floors" in keys else FLOORS
    named = document.mapping(keys["hours"], list(Lane)) if "hours" in keys else {}
    by_lane = {lane: hours(document, one, zone) for lane, one in named.items()}
    try:
        return Lanes(floors, by_lane, zone)
    except Misconfigured as error:
        document.problem(keys["floors"], f"{error}; lower one: high is what normal and bulk leave, unless it is named")
        return Lanes(hours=by_lane, zone=zone)


def hours(document: Document, node: Node, zone: tzinfo = UTC) -> Hours:
    """Windows of the day; always, where they cannot be read."""
    text = document.text(node)
    try:
        return parse(text, zone)
    except Misconfigured as error:
        document.problem(node, str(error))
        return ALL_DAY


def _floors(document: Document, node: Node) -> Mapping[Lane, float]:
    given = document.mapping(node, list(Lane))
    return core.floors({Lane(lane): document.number(one, 0.0) for lane, one in given.items()})


def _zone(document: Document, node: Node) -> tzinfo:
    name = document.text(node)
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError):
        document.problem(node, f"{name!r} is not a time zone; allowed: names like Europe/Paris or UTC")
        return UTC
