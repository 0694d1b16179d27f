"""Digests and differences of rows: equal exactly where a replay has to be equal."""

from __future__ import annotations

import pytest

from schemas.entities import Op
from streams.core.entity import Contribution, Entity
from streams.runtime.state import UnreadableRow, comparable, differences, digest, overall, replayable
from tests.unit.runtime.explain.known import KEY, NEW, NOW, OLD, PRESTA, SHOP, row, said

ENTITY = row(said(SHOP, NOW, NEW), said(PRESTA, NOW - 5, OLD))
ROW_KEY = b"E" + KEY.encode()


def told(entity: Entity) -> str:
    return digest(replayable([(ROW_KEY, entity.pack())]))


def test_the_history_of_one_shard_is_no_part_of_the_digest() -> None:
    asked = ENTITY.contributions[0]._replace(released=7, asked=((NEW, NOW),))
    assert told(ENTITY.having(asked)._replace(golden_version=99)) == told(ENTITY)


def with_presta(**changes: object) -> Entity:
    stands = ENTITY.of(PRESTA)
    assert isinstance(stands, Contribution)
    return ENTITY.having(stands._replace(**changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changed",
    [
        ENTITY._replace(winner=PRESTA),
        ENTITY._replace(fingerprint=OLD),
        ENTITY._replace(contributions=ENTITY.contributions[:1]),
        with_presta(corrected=NOW),
        with_presta(op=Op.DELETE),
        with_presta(version=said(PRESTA, NOW - 4, OLD).version),
    ],
    ids=["winner", "content", "an account", "a corrected time", "a deletion", "a version"],
)
def test_whatever_a_replay_must_give_changes_the_digest(changed: Entity) -> None:
    assert told(changed) != told(ENTITY)


def test_only_entities_are_what_a_replay_agrees_on() -> None:
    rows = [(b"Pinbound.v1", b"x"), (b"V" + KEY.encode(), b"y"), (ROW_KEY, ENTITY.pack())]
    assert replayable(rows) == {ROW_KEY: comparable(ENTITY).pack()}


def test_a_digest_depends_on_nothing_but_keys_and_values() -> None:
    assert digest({b"a": b"1", b"b": b"2"}) == digest({b"b": b"2", b"a": b"1"})
    assert len({digest(rows) for rows in ({b"ab": b"c"}, {b"a": b"bc"}, {b"a": b"b", b"c": b""}, {})}) == 4


def test_the_digest_of_all_shards_tells_which_shard_says_what() -> None:
    assert overall({0: "a", 1: "b"}) != overall({0: "b", 1: "a"})


def test_differences_name_the_entity_and_both_contents_and_whose_row_is_missing() -> None:
    other = ENTITY._replace(winner=PRESTA)
    kept = replayable([(b"Ea", ENTITY.pack()), (b"Eb", ENTITY.pack()), (b"Ec", ENTITY.pack())])
    replayed = replayable([(b"Ea", ENTITY.pack()), (b"Eb", other.pack()), (b"Ed", ENTITY.pack())])
    found = {one.golden_key: (one.kept, one.replayed) for one in differences(kept, replayed)}
    same = comparable(ENTITY)
    assert found == {"b": (same, comparable(other)), "c": (same, None), "d": (None, same)}


def test_a_row_of_another_version_is_named_with_what_to_do() -> None:
    with pytest.raises(UnreadableRow, match=r"acme\|price\|SKU-1~default~EUR cannot be read: .*format 99"):
        replayable([(ROW_KEY, b"\x63" + bytes(25))])
