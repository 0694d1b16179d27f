"""Laws of keys, versions and headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import identity
from schemas.entities import Channel, Completeness, EntityType, Op, Rank
from schemas.headers import FIXED_SIZE, EventFacts, Header, InvalidHeader, Version
from schemas.identity import GoldenKey, InvalidKey, SourceKey

part = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
uint64 = st.integers(0, 2**64 - 1)


def bytes_of(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


versions = st.builds(Version, uint64, st.sampled_from(Rank), uint64, st.integers(0, 2**32 - 1), bytes_of(8))
headers = st.builds(
    Header,
    bytes_of(16),
    versions,
    uint64,
    bytes_of(8),
    uint64,
    st.sampled_from(EntityType),
    st.sampled_from(Op),
    st.sampled_from(Completeness),
    st.sampled_from(Channel),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
)


@given(st.lists(part, min_size=1))
def test_joined_parts_split_into_themselves(parts: list[str]) -> None:
    assert identity.split(identity.join(*parts)) == tuple(parts)


@given(st.lists(part, min_size=1), st.lists(part, min_size=1))
def test_different_parts_never_make_the_same_key(one: list[str], other: list[str]) -> None:
    assert (identity.join(*one) == identity.join(*other)) is (one == other)


@given(part, st.sampled_from(EntityType), part, part)
def test_keys_come_back_from_their_text(tenant: str, kind: EntityType, account: str, id: str) -> None:
    source, golden = SourceKey(tenant, kind, account, id), GoldenKey(tenant, kind, id)
    assert SourceKey.parse(str(source)) == source
    assert GoldenKey.parse(str(golden)) == golden


@given(st.text())
def test_any_text_is_a_golden_key_or_is_refused_as_one(text: str) -> None:
    try:
        key = GoldenKey.parse(text)
    except InvalidKey:
        return
    assert GoldenKey.parse(str(key)) == key


@given(st.lists(part, min_size=1), st.lists(part, min_size=1))
def test_different_components_never_make_the_same_golden_id(one: list[str], other: list[str]) -> None:
    assert (identity.composite(*one) == identity.composite(*other)) is (one == other)


@given(part, part, st.lists(part), st.sampled_from(EntityType), st.sampled_from(EntityType), st.integers(1, 200))
def test_what_shares_its_first_component_shares_its_partition(
    tenant: str, root: str, more: list[str], kind: EntityType, other: EntityType, count: int
) -> None:
    simple = GoldenKey(tenant, kind, identity.composite(root))
    nested = GoldenKey(tenant, other, identity.composite(root, *more))
    assert simple.root == nested.root
    assert identity.golden_partition(str(simple), count) == identity.golden_partition(str(nested), count)


@given(st.binary(), st.integers(1, 1000))
def test_a_partition_is_one_of_the_topics(key: bytes, count: int) -> None:
    assert 0 <= identity.partition(key, count) < count


@given(st.text())
def test_a_normal_sku_is_normal_already(sku: str) -> None:
    try:
        normal = identity.normalise_sku(sku)
    except InvalidKey:
        return
    assert identity.normalise_sku(normal) == normal
    assert identity.COMPONENT not in normal


@given(versions)
def test_a_version_comes_back_from_its_bytes(version: Version) -> None:
    assert Version.unpack(version.pack()) == version


@given(versions, versions)
def test_bytes_of_versions_compare_as_the_versions_do(one: Version, other: Version) -> None:
    assert (one.pack() < other.pack()) is (one < other)
    assert (one.pack() == other.pack()) is (one == other)


@given(headers)
def test_a_header_comes_back_from_its_bytes(header: Header) -> None:
    assert Header.unpack(header.pack()) == header


@given(st.binary(max_size=FIXED_SIZE * 2))
def test_any_bytes_are_a_header_or_are_refused_as_one(data: bytes) -> None:
    try:
        header = Header.unpack(data)
    except InvalidHeader:
        return
    assert Header.unpack(header.pack()) == header


@given(headers, st.integers(0, FIXED_SIZE - 1))
def test_a_header_cut_short_is_refused(header: Header, length: int) -> None:
    with pytest.raises(InvalidHeader):
        Header.unpack(header.pack()[:length])


@given(uint64, bytes_of(16), st.booleans(), st.booleans())
def test_event_facts_come_back_from_their_bytes(sequence: int, id: bytes, late: bool, unchanged: bool) -> None:
    facts = EventFacts(sequence, id, late, unchanged)
    assert EventFacts.unpack(facts.pack()) == facts
