"""docs/sizing.md: its table is what the files take (tests/unit/shard/test_seen.py: 16 bytes an id)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from schemas import topics
from schemas.topics import CATALOGUE, DAY_MS
from streams.shard.idfiles import ID_SIZE
from streams.shard.seen import IN_MEMORY, MAX_IDS

PAGE = (Path(__file__).parents[2] / "docs" / "sizing.md").read_text()
ROWS = re.findall(r"^\| ([\d,]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d,]+) \|$", PAGE, re.MULTILINE)
DAY = 86_400  # seconds
SHARDS = 32


def number(text: str) -> int:
    return int(text.replace(",", ""))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row[0]))
def test_the_table_says_what_ids_of_sixteen_bytes_take(row: tuple[str, ...]) -> None:
    rate = number(row[0])
    for days, told in zip((1, 2, 7), row[1:4], strict=True):
        assert float(told) == pytest.approx(rate * DAY * days * ID_SIZE / 1e9, abs=0.006)
    assert number(row[4]) == rate * DAY * 7 // SHARDS


def test_the_page_names_the_horizon_and_the_bounds_that_hold() -> None:
    assert len(ROWS) == 5
    assert CATALOGUE[topics.RESOLVE_SEEN].retention_ms == 8 * DAY_MS  # seven whole days and the current one
    assert f"default {MAX_IDS:,}" in PAGE
    assert f"newest {IN_MEMORY:,} ids" in PAGE
