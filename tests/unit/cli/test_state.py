"""What `sluice state` says, and with which exit code; the reading is tested on a real broker."""

from __future__ import annotations

import json
from dataclasses import replace

import click
import pytest
from click.testing import CliRunner

from schemas.codec import Codec
from schemas.registry import MemorySchemas
from streams.cli import answers, state, stateverify
from streams.cli.main import main
from streams.runtime.rowtext import Names
from streams.runtime.state import Difference, UnreadableRow
from streams.testing.replay import Checked
from tests.unit.runtime.explain.known import KEY, NEW, NOW, OLD, PRESTA, SHOP, config, row, said

NAMES = Names.of(config().accounts, Codec(MemorySchemas()))
ENTITY = row(said(SHOP, NOW, NEW), said(PRESTA, NOW - 5, OLD))
EQUAL = Checked(0, "", 10, 4, "aa", "aa")
WRONG = Checked(1, "", 9, 3, "aa", "bb", (Difference(KEY, ENTITY, None), Difference("acme|price|B", None, ENTITY)))
CUT = Checked(2, "inbound.v1 partition 2 begins at offset 7: retention has deleted what was before", entities=3)


@pytest.mark.parametrize(
    ("checked", "code"),
    [([EQUAL], 0), ([EQUAL, WRONG], 1), ([WRONG, CUT], 1), ([EQUAL, CUT], 3), ([CUT], 3)],
)
def test_the_exit_code_tells_different_from_equal_from_not_comparable(checked: list[Checked], code: int) -> None:
    assert stateverify._exit_code(checked) == code


def test_what_was_not_compared_is_not_equal() -> None:
    assert (EQUAL.equal, WRONG.equal, CUT.equal) == (True, False, False)
    data = stateverify._as_data([EQUAL, CUT], 5, NAMES)
    assert data["equal"] is False
    assert data["shards"][1]["cut"] == CUT.cut


def test_both_contents_of_the_first_differing_entities_are_shown_and_the_rest_is_counted() -> None:
    text = "\n".join(stateverify._verdict(WRONG, 1, NAMES))
    assert "shard 1: DIFFERENT in 2 entities; 3 entities kept, 9 events replayed" in text
    assert f"  {KEY}\n    kept\n      golden_version    4\n      winner            acme|shop" in text
    assert "replayed: no row" in text
    assert "acme|price|B" not in text
    assert "and 1 more; --show 2 shows them all" in text
    assert (
        json.loads(json.dumps(stateverify._as_data([WRONG], 2, NAMES)))["shards"][0]["differences"][1]["kept"] is None
    )


def test_entities_that_stand_by_other_policies_are_told_before_they_are_taken_for_damage() -> None:
    text = "\n".join(stateverify._verdict(replace(WRONG, other_rules=("price", "order")), 1, NAMES))
    assert "its entities of price, order stand by other policies than the configuration's" in text
    assert "stand by other" not in "\n".join(stateverify._verdict(WRONG, 1, NAMES))


def test_a_shard_that_cannot_be_compared_says_why_and_what_a_replay_needs() -> None:
    assert list(stateverify._verdict(CUT, 5, NAMES)) == [f"shard 2: cannot be compared: {CUT.cut}"]
    assert "shards 2 could not be compared: a replay needs the log from its beginning" in stateverify._summary([CUT])
    assert "different: 2 entities; shards 2 could not be compared" in stateverify._summary([WRONG, CUT])
    assert stateverify._summary([EQUAL]) == "equal: 1 shards, 4 entities"


def test_only_shards_that_are_there_are_compared_each_once() -> None:
    assert stateverify._asked((), [0, 1]) == [0, 1]
    assert stateverify._asked((1, 1), [0, 1]) == [1]
    with pytest.raises(answers.Unanswered, match="no shard 7; the resolver has shards 0 to 1"):
        stateverify._asked((7,), [0, 1])


def test_an_error_is_neither_yes_nor_no() -> None:
    with pytest.raises(answers.Unanswered) as raised, answers.plain_errors():
        raise UnreadableRow("format 99")
    assert (raised.value.exit_code, raised.value.message) == (2, "format 99")


@pytest.mark.parametrize(
    ("which", "name", "matches"),
    [
        ("", "anything", True),
        ("acme|price", "acme|price|A~default~EUR", True),
        (" sku-1", KEY, True),
        ("SKU-1", "acme|price|SKU-10~default~EUR", False),
        (KEY, f"acme|presta {KEY}", True),
        ("acme|presta", f"acme|presta {KEY}", True),
        ("inbound", "inbound.v1", True),
        ("fetch", "acme|shop fetch product 7", True),
        ("beta|", KEY, False),
    ],
)
def test_a_row_is_found_by_the_beginning_of_its_name_or_of_what_an_account_does(
    which: str, name: str, matches: bool
) -> None:
    assert state._matching(which, frozenset({"acme"}))(name) is matches


def test_lists_and_mappings_are_shown_one_below_the_other() -> None:
    told = {"a": 1, "b": {"c": None}, "d": [{"e": "x"}, {"e": "y"}], "f": ["p", "q"], "g": []}
    assert [line.split() for line in answers.lines(told, "")] == [
        ["a", "1"], ["b"], ["c", "-"], ["d", "1"], ["e", "x"], ["d", "2"], ["e", "y"], ["f", "p,", "q"], ["g", "-"],
    ]  # fmt: skip


def test_rows_of_roles_without_a_fold_have_no_digest_of_it() -> None:
    result = CliRunner().invoke(main, ["state", "digest", "--role", "courier-shopify"])
    assert result.exit_code == 2
    assert "--every-row" in result.output


def test_a_kind_that_no_row_is_of_is_refused_with_those_there_are() -> None:
    result = CliRunner().invoke(main, ["state", "dump", "--kind", "entities"])
    assert result.exit_code == 2
    assert "'entity'" in result.output


def test_the_group_has_exactly_what_the_page_describes() -> None:
    assert isinstance(state.group, click.Group)
    assert set(state.group.commands) == {"dump", "digest", "verify"}
    assert replace(EQUAL, differences=()).equal
