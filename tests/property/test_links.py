"""Links are kept as the bytes of their records: nothing may depend on that."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import Codec
from schemas.entities import EntityType
from schemas.identity import GoldenKey, SourceKey
from schemas.registry import MemorySchemas
from streams.mapper.linking import NewLink, xref_record
from streams.runtime.links import (
    KNOWN_AS,
    StoredLink,
    leads_back_from,
    linked_at,
    packed_link,
    stored_link,
)
from streams.runtime.xref import MemoryXref

CODEC = Codec(MemorySchemas())
KIND = EntityType.VARIANT
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=90)
TIMES = st.integers(0, 2**48) | st.integers(2**48, 2**56)

LINKS = st.builds(
    StoredLink,
    st.builds(lambda golden_id: str(GoldenKey("acme", KIND, golden_id)), TEXTS),
    st.dictionaries(TEXTS, TEXTS, max_size=3),
    TIMES,
    st.integers(1, 2**31 - 1),
    st.booleans(),
    st.booleans(),
)
SOURCES = st.builds(SourceKey, TEXTS, st.just(KIND), TEXTS, TEXTS)


def encoded(source: SourceKey, link: StoredLink, rule: str) -> bytes:
    record = xref_record(NewLink(source, link, rule))
    return CODEC.encode("xref", {**record, "status": "LINKED" if link.linked else "AMBIGUOUS"})


@given(SOURCES, LINKS, st.text(max_size=80))
def test_a_link_cut_from_its_record_says_what_the_record_says(source: SourceKey, link: StoredLink, rule: str) -> None:
    value = encoded(source, link, rule if link.primary else KNOWN_AS)
    link = replace(link, primary=link.primary and rule != KNOWN_AS)
    packed = packed_link(value)
    assert StoredLink.unpack(packed) == link == stored_link(CODEC.decode(value))
    assert StoredLink.unpack(link.pack()) == link
    for one in (packed, link.pack()):
        assert linked_at(one) == link.linked_at
        assert leads_back_from(one) == (link.golden_key.encode() if link.primary and link.linked else b"")


@given(SOURCES, LINKS, st.data())
def test_a_link_that_was_cut_off_is_refused(source: SourceKey, link: StoredLink, data: st.DataObject) -> None:
    value = encoded(source, link, "sku" if link.primary else KNOWN_AS)
    packed = packed_link(value)
    end = data.draw(st.integers(0, len(packed) - 1))
    with pytest.raises((IndexError, ValueError)):
        StoredLink.unpack(packed[:end])


NUMBERS = st.sampled_from("1234")
CHANGES = st.tuples(
    NUMBERS, st.none() | st.builds(StoredLink, st.sampled_from(["acme|variant|A", "acme|variant|B"]), linked_at=TIMES)
)


@given(st.lists(CHANGES, max_size=12))
def test_what_a_view_finds_is_linked_there_and_the_newest_of_the_links_that_stay(
    changes: list[tuple[str, StoredLink | None]],
) -> None:
    view, known = MemoryXref(), dict[str, StoredLink]()
    for number, link in changes:
        source = SourceKey("acme", KIND, "shop", number)
        known.pop(number, None)
        if link is None:
            view.discard(source)
        else:
            view.add(source, link)
            known[number] = link
        assert view.link(source) == link
    assert len(view) == len(known)
    for golden in ("acme|variant|A", "acme|variant|B"):
        found, candidates = (
            view.remote("acme", KIND, "shop", golden),
            [number for number, link in known.items() if link.golden_key == golden],
        )
        assert found is None or found[0] in candidates
        if len(changes) == len(known):  # nothing was ever taken back
            newest = max(candidates, key=lambda one: (known[one].linked_at, one), default=None)
            assert (found[0] if found else None) == newest


def test_a_link_that_cannot_be_read_is_unknown() -> None:
    view, key = MemoryXref(), b"acme|variant|shop|1"
    view.put(key, StoredLink("acme|variant|A", linked_at=5).pack()[:-2])
    assert view.link(SourceKey("acme", KIND, "shop", "1")) is None
    assert view.remote("acme", KIND, "shop", "acme|variant|A") is None
