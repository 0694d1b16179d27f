"""Lists of what changed, in the order of the changes, by cursors that are forgotten after a while."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.kit.clock import Clock
from connectors.threepl.fake.errors import ApiError
from connectors.threepl.fake.options import Options

_SECOND = 1_000_000
Place = tuple[int, str]


class Cursors:
    """Places in lists, by name: the change time and id of the last row shown."""

    def __init__(self, options: Options, clock: Clock) -> None:
        self._options, self._clock = options, clock
        self._known: dict[str, tuple[Place, float]] = {}

    def name(self, place: Place) -> str:
        """A name for a place."""
        name = f"c{len(self._known) + 1}"
        self._known[name] = place, self._clock.monotonic() + self._options.cursor_life
        return name

    def place(self, name: str) -> Place:
        """Raises ApiError for a name that is not known any more."""
        place, until = self._known.get(name, ((0, ""), 0.0))
        if until <= self._clock.monotonic():
            raise ApiError(400, "invalid_cursor", "The cursor is not known any more; start again without it")
        return place


def page(
    options: Options,
    cursors: Cursors,
    rows: Sequence[Any],
    query: Mapping[str, str],
    show: Callable[[Any], dict[str, Any]],
) -> dict[str, Any]:
    """One page of rows, which have `updated_at` and `id`. Raises ApiError."""
    since, size = _since(query), _size(options, query)
    after = cursors.place(query["cursor"]) if "cursor" in query else (-1, "")
    ordered = sorted((one.updated_at, one.id, one) for one in rows if one.updated_at > since)
    left = [(at, remote_id, one) for at, remote_id, one in ordered if (at, remote_id) > after]
    shown = left[:size]
    more = cursors.name(shown[-1][:2]) if len(left) > size else None
    return {"data": [show(one) for *_, one in shown], "next_cursor": more}


def _since(query: Mapping[str, str]) -> int:
    if "updated_after" not in query:
        return -1
    try:
        found = datetime.fromisoformat(query["updated_after"])
        return round(found.timestamp() * _SECOND)
    except ValueError:
        raise ApiError(422, "invalid_time", "updated_after must be an ISO 8601 time") from None


def _size(options: Options, query: Mapping[str, str]) -> int:
    text = query.get("limit", "50")
    if not text.isdecimal() or int(text) < 1:
        raise ApiError(422, "invalid_limit", "limit must be a number above 0")
    return min(int(text), options.page_limit)
