"""Laws of PrestaShop's pure parts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import orjson
from hypothesis import given
from hypothesis import strategies as st

from connectors.kit.errors import Invalid
from connectors.prestashop import PLATFORM, records, times, xml
from connectors.prestashop.fake.query import select
from connectors.prestashop.fake.schema import ORDERS
from connectors.prestashop.windows import Window
from tests.unit.prestashop.support import account, combined_product, envelope, rows

PARIS = ZoneInfo("Europe/Paris")
NOON = 1_772_362_800_000_000
SECOND = 1_000_000
# Everything XML 1.0 can carry, its own markup and line ends among it.
XML_TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\ufffe\uffff").filter(
        lambda character: character >= " " or character in "\t\n\r"
    )
)


@given(XML_TEXT, XML_TEXT)
def test_any_text_survives_its_way_through_xml(plain: str, spoken: str) -> None:
    body = xml.document("product", {"reference": plain, "name": [{"id": "1", "value": spoken}]})
    product = ET.fromstring(body)[0]
    assert (product.findtext("reference") or "") == plain
    assert (product.findtext("name/language") or "") == spoken


@given(st.integers(0, 2**51), st.integers(0, 200 * 24 * 3600 * SECOND), st.floats(0, 1))
def test_a_moment_within_a_window_has_a_text_within_its_bounds(since: int, length: int, share: float) -> None:
    lower, upper = times.window(since, since + length, PARIS)
    assert lower <= times.text(since + int(length * share), PARIS) <= upper


def _order(id: int, second: int) -> dict[str, Any]:
    row = dict.fromkeys(ORDERS.fields, "0")
    return {**row, "id": id, "date_upd": times.text(NOON + second * SECOND, PARIS)}


def _answer(table: Sequence[dict[str, Any]], window: Window, size: int) -> list[dict[str, Any]]:
    query = {
        (f"filter[{name.removeprefix('filter_')}]" if name.startswith("filter_") else name): value
        for name, value in window.query.items()
    }
    return select(ORDERS, table, {**query, "limit": str(size)})


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=25),
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 24)), max_size=12),
)
def test_paging_misses_no_row_that_stays_in_the_window_whatever_else_changes(
    seconds: list[int], size: int, changes: list[tuple[int, int]]
) -> None:
    """While the window is read, other rows change and leave it; those that stay are each read exactly once."""
    table = [_order(number, second) for number, second in enumerate(seconds, 1)]
    window: Window | None = Window.open({"until": NOON}, NOON + 10 * SECOND, 1, PARIS)
    seen: list[int] = []
    left: set[int] = set()
    page = 0
    while window is not None:
        window = Window.open(window.cursor, 0, 1, PARIS)  # through its stored form
        rows = _answer(table, window, size)
        seen += [row["id"] for row in window.fresh(rows)]
        window = window.after(rows, size)
        for _, victim in (change for change in changes if change[0] == page):
            if victim < len(table):
                table[victim]["date_upd"] = times.text(NOON + 60 * SECOND, PARIS)
                left.add(table[victim]["id"])
        page += 1
        assert page < 200
    stayed = {row["id"] for row in table} - left
    assert stayed <= set(seen)
    assert len(seen) == len(set(seen))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
OBSERVATIONS = [combined_product(), *records.stock(rows("stock_availables")), records.order(rows("orders")[0])]


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, child in inner for found in _paths(child, (*path, key)))]


@given(st.data(), st.sampled_from(OBSERVATIONS), JSON)
def test_a_record_with_anything_in_any_field_is_mapped_or_refused_as_invalid(
    data: st.DataObject, observation: Any, strange: Any
) -> None:
    body = orjson.loads(observation.body)
    path = data.draw(st.sampled_from(_paths(body)[1:]))
    place = body
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = strange
    changed = envelope(replace(observation, body=orjson.dumps(body)))
    with suppress(Invalid):
        PLATFORM.mapping.map(account(), changed)
