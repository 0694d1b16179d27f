"""Laws of layers: what one account says in parts, in any order and as often as it likes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.entities import Op
from streams.core.layers import ALL, Layer, Layers, covers, deleted, lay, newest, pack, unpack

FIELDS = range(5)


def layer(number: int, fields: int) -> Layer:
    gone = fields == 0
    return Layer(
        number.to_bytes(29, "big"), number, Op.DELETE if gone else Op.UPSERT, ALL if gone else fields, b"%d" % number
    )


said = st.lists(
    st.builds(layer, st.integers(1, 9), st.sampled_from([0, 1, 2, 5, 31, ALL])), unique_by=lambda one: one.version
)


def fold(all_said: list[Layer]) -> Layers:
    layers: Layers = ()
    for one in all_said:
        layers = lay(layers, one)
    return layers


@given(said, st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_gives_the_same_layers(all_said: list[Layer], rnd: object) -> None:
    again = [*all_said, *all_said]
    rnd.shuffle(again)  # type: ignore[attr-defined]
    assert fold(again) == fold(all_said)


@given(said)
def test_each_field_comes_from_the_newest_version_that_says_it(all_said: list[Layer]) -> None:
    layers = fold(all_said)
    for field in FIELDS:
        sayers = [one for one in all_said if one.fields >> field & 1]
        found = [one.version for one in layers if one.fields >> field & 1]
        assert found == [max(one.version for one in sayers)] if sayers else not found


@given(said)
def test_layers_never_say_a_field_twice_and_none_says_nothing(all_said: list[Layer]) -> None:
    layers = fold(all_said)
    assert all(one.fields for one in layers)
    assert sum(one.fields for one in layers) <= ALL
    assert [one.version for one in layers] == sorted((one.version for one in layers), reverse=True)


@given(said)
def test_a_delete_holds_until_something_newer_says_all_fields(all_said: list[Layer]) -> None:
    whole = [one for one in all_said if one.fields == ALL]
    last = max(whole, key=lambda one: one.version, default=None)
    assert deleted(fold(all_said)) == (last is not None and last.op is Op.DELETE)


@given(said)
def test_a_row_of_layers_is_read_as_it_was_written(all_said: list[Layer]) -> None:
    assert unpack(pack(fold(all_said))) == fold(all_said)


@given(said, st.integers(1, 60))
def test_a_row_that_is_cut_off_is_refused(all_said: list[Layer], cut: int) -> None:
    row = pack(fold(all_said))
    if 0 < cut < 30 and len(row) > cut:
        with pytest.raises(ValueError, match="cut off"):
            unpack(row[:-1])


def test_what_is_covered_and_who_said_it_last() -> None:
    layers = fold([layer(1, 3), layer(2, 2)])
    assert (covers(layers, 3), covers(layers, 7)) == (True, False)
    assert (newest(layers, 1).version[-1], newest(layers, 2).version[-1]) == (1, 2)
