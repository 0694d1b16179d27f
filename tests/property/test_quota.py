"""Laws of reading quota headers: nothing raises, and nonsense changes nothing but the count of it."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from connectors.kit.contract import Feedback
from connectors.kit.quota import read
from connectors.kit.structured import Item, Malformed, items

NOW = 1_772_366_400.0
NAMES = (
    "ratelimit",
    "ratelimit-policy",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-shopify-shop-api-call-limit",
    "retry-after",
    "date",
)
FRAGMENTS = ('"a"', ";r=1", ";t=", "=", "9", "-1", ",", ";q=10", "/", ":", "?1", " ", "1e9", "GMT", "é", "\x00", '"')
TEXTS = st.lists(st.sampled_from(FRAGMENTS), max_size=8).map("".join) | st.text(max_size=20)
NONSENSE = st.text("xyz!", min_size=1, max_size=6)
PLAIN = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=8)


@given(st.dictionaries(st.sampled_from(NAMES), TEXTS), st.integers(100, 599))
def test_whatever_the_headers_hold_the_numbers_are_usable(headers: dict[str, str], status: int) -> None:
    found = read(headers, status, NOW)
    assert found.throttled == (status == 429)
    for one in (found, *found.named.values()):
        for number in (one.level, one.limit, one.restore_rate, one.retry_after, one.resets_after, one.window):
            assert number is None or (math.isfinite(number) and number >= 0) or number == one.level
        assert one.limit is None or one.limit > 0


@given(st.sampled_from(NAMES[:-1]), NONSENSE, st.sampled_from(["retry-after", "x-rate-limit-remaining"]))
def test_a_header_of_nonsense_is_counted_and_changes_nothing(name: str, text: str, kept: str) -> None:
    headers = {} if name == kept else {kept: "7"}
    found = read({**headers, name: text}, 200, NOW)
    assert found.malformed == 1
    assert replace(found, malformed=0) == read(headers, 200, NOW)


@given(st.dictionaries(PLAIN, st.integers(0, 999), min_size=1, max_size=5))
def test_names_and_numbers_come_back_as_they_were_written(quotas: dict[str, int]) -> None:
    escaped = {name: name.replace("\\", "\\\\").replace('"', '\\"') for name in quotas}
    text = ", ".join(f'"{escaped[name]}";r={left}' for name, left in quotas.items())
    assert items(text) == [Item(name, {"r": left}) for name, left in quotas.items()]


@given(st.text(max_size=30))
def test_a_list_is_read_or_refused(text: str) -> None:
    with suppress(Malformed):
        assert items(text)


def test_no_headers_say_nothing() -> None:
    assert read({}, 200, NOW) == Feedback()
