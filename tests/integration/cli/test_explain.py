"""`sluice explain` and `sluice ledger` over what roles left on a real broker."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from schemas import topics
from schemas.identity import golden_partition
from streams.cli.main import main
from streams.core.ledger import Book, day_of, pack, row_key
from streams.stack import Endpoints
from tests.integration.cli.story import NOW, PROFILE, Story

pytestmark = pytest.mark.broker

KEY = "acme|price|SKU-1~default~EUR"


@pytest.fixture(scope="module")
def story(endpoints: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The shop says 10 and then 12, presta 11 in between; so first the shop and then presta is asked to follow. SKU-10
    and a list of another currency are other entities."""
    told = Story(endpoints, tmp_path_factory.mktemp("story"), f"t{uuid.uuid4().hex[:8]}.")
    first = told.price(0, "shop", "10", at=0)
    told.resolve(first)
    told.between = passed()
    told.resolve(first, told.price(1, "presta", "11", at=1), told.price(2, "shop", "12", at=4))
    told.resolve(told.price(0, "shop", "99", at=0, sku="SKU-10"))
    told.called(KEY, 3)
    for other in ("acme|price|SKU-10~default~EUR", f"{KEY}O", f"x{KEY}"):
        told.called(other, 1)
    yield told
    told.remove()


def passed() -> datetime:
    """A moment that no record has for its time."""
    time.sleep(0.01)  # the broker's times are whole milliseconds
    moment = datetime.now(UTC)
    time.sleep(0.01)
    return moment


def run(story: Story, *arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(main, list(arguments), env=story.environ | environ)


def explained(story: Story, *arguments: str) -> list[dict[str, Any]]:
    result = run(story, "explain", *arguments, "--json")
    assert result.exit_code == 0, result.output
    answers: list[dict[str, Any]] = json.loads(result.output)
    return answers


def test_a_golden_key_is_answered_with_winner_loser_rule_and_what_was_pushed_where(story: Story) -> None:
    (one,) = explained(story, KEY)
    assert one["golden_key"] == KEY
    assert one["state"]["amount"] == "12 EUR (tax included)"
    winner, loser = one["accounts"]
    assert (winner["account"], winner["wins"], winner["rank"], winner["corrected_time"]) == (
        "shop", True, "push", NOW + 4_000_000,
    )  # fmt: skip
    assert (loser["account"], loser["source_clock"], loser["asked"]) == ("presta", NOW + 1_000_000, "winner")
    assert loser["lost_because"] == "its corrected time is 3 s before the winner's"
    assert (one["rule"]["kind"], one["rule"]["because"], one["rule"]["revision"]) == ("lww", "corrected_time", 7)
    assert [(d["event_account"], d["outcome"], d["source_offset"]) for d in one["decisions"]] == [
        ("presta", "won", 1), ("shop", "won", 2),
    ]  # fmt: skip
    assert one["decisions"][1]["pushed_to"] == ["presta"]
    assert [(task["account"], task["golden_version"]) for task in one["pushes"]] == [("shop", 2), ("presta", 3)]
    assert [call["op_id"] for call in one["calls"]] == [f"presta|{KEY}|3"]


def test_a_sku_is_found_however_it_is_spelt_and_no_other_with_it(story: Story) -> None:
    assert [one["golden_key"] for one in explained(story, " sku-1")] == [KEY]
    (other,) = explained(story, "SKU-10")
    assert (other["rule"]["because"], other["decisions"]) == ("only_account", [])


def test_the_newest_are_shown_when_fewer_are_asked_for(story: Story) -> None:
    (one,) = explained(story, KEY, "--last", "1")
    assert [d["source_offset"] for d in one["decisions"]] == [2]
    assert [task["account"] for task in one["pushes"]] == ["presta"]


def test_the_text_is_for_people(story: Story) -> None:
    result = run(story, "explain", KEY)
    assert result.exit_code == 0
    assert "WINNER  shop (shopify)" in result.output
    assert "its corrected time is 3 s before the winner's" in result.output


def test_the_events_are_told_with_their_places_and_who_said_what_by_which(story: Story) -> None:
    (one,) = explained(story, KEY)
    assert [(event["account"], event["late"], event["at"]["topic"]) for event in one["events"]][-2:] == [
        ("presta", False, "events.price.v1"), ("shop", False, "events.price.v1"),
    ]  # fmt: skip
    winner, loser = one["accounts"]
    assert (winner["event"]["delivery_id"], winner["event"]["inbound"]["offset"]) == ("d-2", 2)
    assert (loser["event"]["delivery_id"], loser["event"]["inbound"]["offset"]) == ("d-1", 1)
    assert winner["event"]["events"]["topic"] == "events.price.v1"


def test_an_earlier_moment_is_told_as_it_was_then(story: Story) -> None:
    (then,) = explained(story, KEY, "--at", story.between.isoformat())
    assert then["state"]["amount"] == "10 EUR (tax included)"
    assert [word["account"] for word in then["accounts"]] == ["shop"]
    assert (then["decisions"], then["pushes"], then["calls"], len(then["events"])) == ([], [], [], 1)
    (now,) = explained(story, KEY, "--at", "-0s")
    (row,) = explained(story, KEY)
    assert now["at"] is not None
    assert {**now, "at": None} == row
    text = run(story, "explain", KEY, "--at", "-0s").output
    assert "told from the decisions and events up to then" in text


def test_of_a_moment_before_all_that_is_kept_nothing_is_known(story: Story) -> None:
    result = run(story, "explain", KEY, "--at", "-30d")
    assert result.exit_code == 1
    assert "nothing is kept of it any more" in result.output


def test_a_moment_that_is_none_is_refused(story: Story) -> None:
    for wrong in ("10m", "2199-01-01"):
        assert run(story, "explain", KEY, "--at", wrong).exit_code == 2


def test_an_unknown_entity_is_refused_with_what_was_searched(story: Story) -> None:
    result = run(story, "explain", "acme|price|SKU-7~default~EUR")
    assert result.exit_code == 1
    assert "nothing is known of 'acme|price|SKU-7~default~EUR'" in result.output
    assert "resolve-changelog.v1 (partition " in result.output
    assert "`sluice ledger`" in result.output


def test_a_row_of_another_version_is_a_sentence_that_names_it(story: Story) -> None:
    key = "acme|price|SKU-8~default~EUR"
    partition = golden_partition(key, PROFILE.shard)
    story.write((topics.RESOLVE_CHANGELOG, partition, b"E" + key.encode(), b"\x63" + bytes(25)))
    result = run(story, "explain", key)
    assert result.exit_code == 1
    assert f"the resolver's row of {key}" in result.output
    assert "format 99" in result.output


def test_a_wrong_prefix_is_told_before_anything_is_read(story: Story) -> None:
    for command in (["explain", KEY], ["ledger"]):
        result = run(story, *command, SLUICE_TOPIC_PREFIX="nobody.")
        assert result.exit_code == 1
        assert "has no topic nobody." in result.output
        assert "SLUICE_TOPIC_PREFIX" in result.output


def counted(story: Story, topic: str, partition: int, book: Book, account: str, **counters: int) -> None:
    key = row_key(book, account, day_of(NOW))
    story.write((topic, partition, key, pack(book, counters)))


@pytest.fixture
def fresh(endpoints: Endpoints, tmp_path: Path) -> Iterator[Story]:
    made = Story(endpoints, tmp_path, f"t{uuid.uuid4().hex[:8]}.")
    yield made
    made.remove()


def test_the_ledger_adds_up_the_shards_and_waits_until_the_books_close(fresh: Story) -> None:
    empty = run(fresh, "ledger")
    assert empty.exit_code == 1
    assert "nothing has been counted" in empty.output
    courier = topics.courier_changelog("prestashop")
    for partition, received in ((0, 1), (1, 2)):  # the same row key in two shards
        counted(
            fresh, topics.MAP_CHANGELOG, partition, Book.DELIVERIES, "acme|shop", received=9, mapped=9, events_out=9
        )
        counted(
            fresh, topics.MAP_CHANGELOG, partition, Book.DELIVERIES, "acme|shop",
            received=received, mapped=received, events_out=received,
        )  # fmt: skip
    counted(fresh, topics.RESOLVE_CHANGELOG, 4, Book.EVENTS, "acme|shop", received=3, won=3)
    counted(fresh, topics.RESOLVE_CHANGELOG, 4, Book.TASKS, "acme|presta", routed=2)
    counted(fresh, courier, 2, Book.TASKS, "acme|presta", received=1, applied=1)
    result = run(fresh, "ledger", "--json")
    books = json.loads(result.output)
    assert (result.exit_code, books["closed"], books["events_unread"]) == (1, False, 0)
    assert [(one["book"], one["counters"]["received"], one["open"], one["on_the_way"]) for one in books["books"]] == [
        ("deliveries", 3, 0, 0), ("events", 3, 0, 0), ("tasks", 1, 0, 1),
    ]  # fmt: skip
    arrives = threading.Timer(
        1.0, counted, (fresh, courier, 2, Book.TASKS, "acme|presta"), {"received": 2, "applied": 1, "no_op": 1}
    )
    arrives.start()
    waited = run(fresh, "ledger", "--wait", "30")
    arrives.join()
    assert waited.exit_code == 0, waited.output
    assert "all books are closed" in waited.output
    assert run(fresh, "ledger", "--day", day_of(NOW)).exit_code == 0
    assert "no ledger row of 2020-01-01" in run(fresh, "ledger", "--day", "2020-01-01").output
