"""A view of links: forth, back, and what a change of a link does to both."""

from __future__ import annotations

import pytest

from schemas.codec import Codec
from schemas.entities import EntityType
from schemas.identity import InvalidKey, SourceKey
from schemas.registry import MemorySchemas
from streams.mapper.linking import NewLink, xref_record
from streams.runtime.links import KNOWN_AS, StoredLink
from streams.runtime.xref import MemoryXref

KIND = EntityType.VARIANT
GOLDEN = "acme|variant|A"
CODEC = Codec(MemorySchemas())


def source(remote_id: str, account: str = "shop") -> SourceKey:
    return SourceKey("acme", KIND, account, remote_id)


def view(*links: tuple[str, StoredLink]) -> MemoryXref:
    made = MemoryXref()
    for remote_id, link in links:
        made.add(source(remote_id), link)
    return made


def test_a_link_leads_forth_and_back() -> None:
    made = view(("1", StoredLink(GOLDEN, {"inventory_item_id": "77"})))
    assert made.golden("acme", KIND, "shop", "1") == GOLDEN
    assert made.remote("acme", KIND, "shop", GOLDEN) == ("1", {"inventory_item_id": "77"})
    assert made.golden("acme", KIND, "other", "1") is None
    assert made.remote("acme", KIND, "other", GOLDEN) is None


def test_a_further_id_leads_forth_only() -> None:
    made = view(("1", StoredLink(GOLDEN)), ("inventory_item:77", StoredLink(GOLDEN, linked_at=9, primary=False)))
    assert made.golden("acme", KIND, "shop", "inventory_item:77") == GOLDEN
    assert made.remote("acme", KIND, "shop", GOLDEN) == ("1", {})


def test_of_two_records_that_are_one_entity_the_one_linked_last_is_written_to() -> None:
    links = [("1", StoredLink(GOLDEN, linked_at=5)), ("2", StoredLink(GOLDEN, linked_at=6))]
    for order in (links, links[::-1]):
        found = view(*order).remote("acme", KIND, "shop", GOLDEN)
        assert found is not None
        assert found[0] == "2"


def test_a_moved_link_no_longer_leads_back() -> None:
    made = view(("1", StoredLink(GOLDEN)), ("1", StoredLink("acme|variant|B", linked_at=2)))
    assert made.remote("acme", KIND, "shop", GOLDEN) is None
    assert made.remote("acme", KIND, "shop", "acme|variant|B") == ("1", {})
    assert len(made) == 1


def test_a_tombstone_removes_a_link_in_both_directions() -> None:
    made = view(("1", StoredLink(GOLDEN)))
    made.apply(b"acme|variant|shop|1", None)
    made.apply(b"acme|variant|shop|never", None)
    assert made.golden("acme", KIND, "shop", "1") is None
    assert made.remote("acme", KIND, "shop", GOLDEN) is None


def test_a_retired_link_leads_nowhere_and_is_remembered() -> None:
    made = view(("1", StoredLink(GOLDEN, linked=False, link_revision=3)))
    assert made.golden("acme", KIND, "shop", "1") is None
    assert made.remote("acme", KIND, "shop", GOLDEN) is None
    link = made.link(source("1"))
    assert link is not None
    assert link.link_revision == 3


@pytest.mark.parametrize("rule", ["sku", KNOWN_AS])
def test_a_link_survives_the_topic(rule: str) -> None:
    link = StoredLink(GOLDEN, {"product_id": "3"}, 1_772_366_400_123_457, 2, rule != KNOWN_AS)
    made = MemoryXref()
    value = CODEC.encode("xref", xref_record(NewLink(source("a|b"), link, rule)))
    made.apply(str(source("a|b")).encode(), CODEC.decode(value))
    assert made.link(source("a|b")) == link


def test_ids_with_separators_stay_apart() -> None:
    made = MemoryXref()
    made.add(SourceKey("acme", KIND, "a|b", "c"), StoredLink(GOLDEN))
    assert made.golden("acme", KIND, "a", "b|c") is None


def test_a_strange_key_is_refused() -> None:
    with pytest.raises(InvalidKey):
        MemoryXref().apply(b"acme|variant", None)
