"""Paging through what changed within a closed window, without a row skipped or offset counted. Pure.

Rows come in the order (date_upd, id). The next page starts at the second where the last one ended, so a row that
changes while the window is read, and so leaves it at its far end, moves no other row past us, as it would with an
offset. A page that lies within one second altogether is continued by id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from connectors.kit.contract import Json
from connectors.prestashop import times
from connectors.prestashop.records import Row


@dataclass(frozen=True, slots=True)
class Window:
    """An open pass. `until`: microseconds UTC, where the next pass will start; `upper`: last shop time of the window;
    `date`, `id`: the last row read, or where to start; `tied`: continue by id within the second `date`."""

    until: int
    upper: str
    date: str
    id: int = 0
    tied: bool = False
    checked: bool = False

    @classmethod
    def open(cls, cursor: Mapping[str, Json], now: int, overlap: float, zone: ZoneInfo) -> Window:
        """The window the cursor is in, or a new one from where the last one ended, less the overlap, until `now`."""
        if "upper" in cursor:
            return cls(**cursor)
        since = max(0, int(cursor.get("until", 0)) - round(overlap * 1_000_000))
        lower, upper = times.window(min(since, now), now, zone)
        return cls(until=now, upper=upper, date=lower)

    def checked_against(self, shop_time: int | None) -> Window:
        """A shop whose clock is behind ours has not written all rows of the window yet: the next pass starts at the
        shop's own time (microseconds UTC, None when it did not say)."""
        if self.checked:
            return self
        return replace(self, checked=True, until=self.until if shop_time is None else min(self.until, shop_time))

    @property
    def query(self) -> dict[str, str]:
        """Query parameters of the next page, without its size. Sorting and filtering by date both need `date=1`."""
        if self.tied:
            return {
                "filter_date_upd": f"[{self.date},{self.date}]",
                "filter_id": f">[{self.id}]",
                "date": "1",
                "sort": "[id_ASC]",
            }
        return {"filter_date_upd": f"[{self.date},{self.upper}]", "date": "1", "sort": "[date_upd_ASC,id_ASC]"}

    def fresh(self, rows: Sequence[Row]) -> list[Row]:
        """The rows that the page before did not have."""
        last = (self.date, self.id)
        return [row for row in rows if (str(row["date_upd"]), int(row["id"])) > last]

    def after(self, rows: Sequence[Row], size: int) -> Window | None:
        """The rest of the window behind a page, None when it was read whole. Raises ValueError when a row's date is
        not a shop time."""
        if len(rows) < size:
            return self._behind_the_second() if self.tied else None
        date, last = str(rows[-1]["date_upd"]), int(rows[-1]["id"])
        return replace(self, date=date, id=last, tied=self.tied or date == self.date)

    @property
    def cursor(self) -> dict[str, Json]:
        """JSON-able; `open` reads it back."""
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def closed(self) -> dict[str, Json]:
        """The cursor between two passes."""
        return {"until": self.until}

    def _behind_the_second(self) -> Window | None:
        following = times.next_second(self.date)
        return None if following > self.upper else replace(self, date=following, id=0, tied=False)
