"""The topology test driver keeps what Kafka would keep, loses what it would lose, and shows the rest decoded."""

from __future__ import annotations

import doctest
import re
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from connectors.kit.contract import Observation
from schemas import topics
from schemas.agreement import agreement
from schemas.codec import Unencodable
from schemas.entities import Channel, EntityType, Rank
from schemas.headers import NAME, Header
from streams.core.policy import Flow, Policy, PolicyKind, Rules
from streams.resolver.routes import Member
from streams.runtime.config import Config
from streams.shard.api import Headers
from streams.testing import plain, topology
from streams.testing.topology import TopologyTestDriver
from tests.unit.prestashop.support import account as presta_account
from tests.unit.prestashop.support import simple_product
from tests.unit.shopify.support import NOON, TRIGGERED, account, body

PRICE = EntityType.PRICE
KEY = "acme|price|SKU-7~default~EUR"
MEMBERS = [Member("acme", "shop", "shopify", 10), Member("acme", "presta", "prestashop", 20)]
FLOW = Flow("prices", PRICE, ("shop", "presta"), ("amount",))
PAGE = Path(__file__).parents[3] / "docs" / "testing.md"


def rules(policy: Policy | None = None, **more: Any) -> Rules:
    return Rules(policies={PRICE: policy or Policy(PolicyKind.LWW)}, flows=(FLOW,), **more)


def driver() -> TopologyTestDriver:
    return TopologyTestDriver.of(rules(), MEMBERS)


def money(amount: str) -> dict[str, Any]:
    return {"amount": {"amount": Decimal(amount), "currency": "EUR", "tax": "INCLUDED"}}


def say(to: TopologyTestDriver, account: str, amount: str | None, **more: Any) -> None:
    to.say(account, PRICE, "SKU-7~default~EUR", None if amount is None else money(amount), **more)


def amount(of: TopologyTestDriver) -> Decimal:
    found: Decimal = of.state(PRICE)[KEY]["amount"]["amount"]
    return found


def shops() -> TopologyTestDriver:
    """A Shopify and a PrestaShop as their own tests configure them."""
    known = {(one.tenant, one.id): one for one in (account(), presta_account())}
    return TopologyTestDriver(Config(known, Rules()), start=NOON + 1_000_000)


def webhook(to: TopologyTestDriver, topic: str, payload: bytes, name: str = "d1") -> None:
    told = {"x-shopify-topic": topic, "x-shopify-triggered-at": TRIGGERED, "x-shopify-webhook-id": name}
    to.deliver("shop-1", told, payload)


# -- the page and the docstring


def test_the_example_of_the_docstring_runs() -> None:
    result = doctest.testmod(topology)
    assert (result.failed, result.attempted > 10) == (0, True)


def test_the_page_about_testing_shows_the_same_example() -> None:
    shown = "\n".join(re.findall(r"```pycon\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
    on_the_page, in_the_code = map(doctest.DocTestParser().get_examples, (shown, topology.__doc__ or ""))
    assert [(one.source, one.want) for one in on_the_page] == [(one.source, one.want) for one in in_the_code]


# -- commits and crashes


def test_nothing_is_readable_before_the_commit_and_all_of_it_after() -> None:
    one = driver()
    say(one, "shop", "10")
    assert one.state(PRICE) == {}
    one.commit()
    assert amount(one) == 10


def test_a_crash_loses_what_was_not_committed_and_nothing_else_and_nothing_comes_twice() -> None:
    one = driver()
    say(one, "shop", "10")
    one.commit()
    one.advance(1)
    say(one, "presta", "11")
    one.crash()
    one.commit()
    one.crash()
    one.advance(10)
    one.commit()
    assert amount(one) == 11
    assert [d["outcome"] for d in one.decisions()] == ["won"]
    assert [(task["account"], task["golden_version"]) for task in one.pushes("shop")] == [("shop", 2)]
    events = one.events(PRICE)
    assert [event["value"]["meta"]["account"] for event in events] == ["shop", "presta"]
    assert [event["shard_seq"] for event in events] == [1, 2]


def test_a_held_event_survives_a_crash_and_goes_out_when_its_time_has_come() -> None:
    one = driver()
    say(one, "shop", "10")
    one.commit()
    one.crash()
    one.advance(1)
    one.commit()
    assert one.events(PRICE) == []
    one.advance(2)
    one.commit()
    assert len(one.events(PRICE)) == 1


def test_other_rules_after_a_restart_decide_what_comes_next() -> None:
    one = driver()
    say(one, "presta", "11")
    one.restart()
    one.advance(1)
    one.restart(rules(Policy(PolicyKind.OWNER, ("presta",)), revision=2))
    say(one, "shop", "12")
    one.commit()
    assert amount(one) == 11
    (decided,) = one.decisions()
    assert (decided["rule"], decided["policy_revision"], decided["outcome"]) == ("owner", 2, "superseded")


# -- what goes in


def test_an_event_from_plain_fields_is_one_that_a_mapper_could_have_written() -> None:
    one = driver()
    say(one, "shop", "10", source_time=one.clock.now() - 5_000_000)
    say(one, "presta", None, channel=Channel.POLL)
    for record in one.records(topics.INBOUND):
        header = Header.unpack(record.headers[0][1])
        assert agreement(header, one.codec.decode(record.value or b"")["meta"]) == []
    pushed, read = (Header.unpack(record.headers[0][1]) for record in one.records(topics.INBOUND))
    assert pushed.version.clock == one.clock.now() - 5_000_000
    assert (pushed.version.rank, read.version.rank) == (Rank.PUSH, Rank.UNSETTLED_READ)
    (event, _) = one.read(topics.INBOUND)
    assert (event["value"]["sku"], event["value"]["price_list"]) == ("SKU-7", "")


def test_the_same_delivery_is_one_event_and_another_one_of_the_same_content_is_unchanged() -> None:
    one = driver()
    say(one, "shop", "10", delivery="a")
    say(one, "shop", "10", delivery="a")
    one.advance(1)
    say(one, "shop", "10.00", delivery="b")
    one.advance(5)
    one.commit()
    assert [event["unchanged"] for event in one.events(PRICE)] == [False, True]


def test_equal_content_of_two_types_of_account_has_one_fingerprint() -> None:
    fields = {"sku": "A", "barcode": None}
    assert plain.comparable(EntityType.VARIANT, fields) == ("A", "")
    assert plain.comparable(EntityType.INVENTORY_LEVEL, {"available": Decimal("3.0")}) == ("3",)
    assert plain.comparable(EntityType.PRODUCT, {"title": "T"}) == plain.comparable(EntityType.ORDER, {"title": "T"})


def test_a_deletion_empties_the_state() -> None:
    one = driver()
    say(one, "shop", "10")
    one.advance(1)
    say(one, "shop", None)
    one.commit()
    assert one.state(PRICE) == {}
    assert one.read(topics.state(PRICE)) == [{"offset": 0, "key": KEY, "value": None}]


def test_bulk_is_an_input_of_its_own() -> None:
    one = driver()
    say(one, "shop", "10", topic=topics.INBOUND_BULK)
    one.commit()
    assert amount(one) == 10


def test_a_record_that_nobody_can_read_is_a_dead_letter() -> None:
    one = driver()
    one.pipe(topics.INBOUND, b"acme|price|A", b"\x00", [])
    one.commit()
    assert [letter["reason"] for letter in one.dead_letters()] == ["invalid_header"]


def test_a_header_without_a_value_is_a_dead_letter_and_no_end_of_the_process() -> None:
    one = driver()
    nothing = cast("Headers", [(NAME, None)])
    one.pipe(topics.INBOUND, b"acme|price|A", b"", nothing)
    one.commit()
    assert [letter["reason"] for letter in one.dead_letters()] == ["invalid_header"]


def test_fields_that_do_not_fit_the_schema_are_refused_by_name() -> None:
    with pytest.raises(Unencodable, match="colour"):
        driver().say("shop", PRICE, "A~default~EUR", {"colour": "red"}, comparable=["red"])


def test_an_account_must_be_there_and_be_one_only() -> None:
    twice = TopologyTestDriver.of(rules(), [*MEMBERS, Member("beta", "shop", "shopify")])
    for name in ("shop", "nobody"):
        with pytest.raises(ValueError, match=r"accounts; there are acme\|shop, acme\|presta, beta\|shop"):
            say(twice, name, "1")
    say(twice, "beta|shop", "1")
    twice.commit()
    assert list(twice.state(PRICE)) == [KEY.replace("acme", "beta")]


# -- from raw


def test_a_webhook_goes_through_mapper_and_resolver_to_state() -> None:
    one = shops()
    webhook(one, "products/update", body("products_update"))
    one.commit()
    assert {key: str(record["amount"]["amount"]) for key, record in one.state(PRICE).items()} == {
        "t1|price|TEE-M~default~EUR": "19.990000", "t1|price|TEE-L~default~EUR": "19.900000",
    }  # fmt: skip
    assert set(one.state(EntityType.VARIANT)) == {"t1|variant|TEE-M", "t1|variant|TEE-L"}


def test_what_cannot_be_linked_is_fetched_and_links_when_it_was_read_even_after_a_crash() -> None:
    one = shops()
    level = orjson.dumps(orjson.loads(body("inventory_levels_update")) | {"inventory_item_id": 49148385})
    webhook(one, "inventory_levels/update", level)
    one.commit()
    assert [(ask["account"], ask["reason"]) for ask in one.fetches("shopify")] == [("shop-1", "unlinked")]
    webhook(one, "products/update", body("products_update"), "d2")
    one.commit()
    one.crash()
    webhook(one, "inventory_levels/update", level, "d3")
    one.commit()
    assert set(one.state(EntityType.INVENTORY_LEVEL)) == {"t1|inventory_level|TEE-M~BER"}


def test_what_is_read_at_an_account_comes_in_as_the_courier_would_write_it() -> None:
    one = shops()
    one.advance(10)
    one.observe("shop-2", simple_product())
    one.commit()
    (record,) = one.state(PRICE).values()
    assert (record["meta"]["account"], record["meta"]["channel"]) == ("shop-2", "POLL")
    assert record["meta"]["version"]["sequence"] == 1


def test_a_platform_without_webhooks_says_how_to_tell_it() -> None:
    with pytest.raises(ValueError, match="observe"):
        shops().deliver("shop-2", {}, b"{}")


def test_a_body_that_no_mapping_takes_is_a_dead_letter_of_the_mapper() -> None:
    one = shops()
    one.observe("shop-2", Observation("products", "1", b"{"))
    one.commit()
    assert [(letter["stage"], letter["source_topic"]) for letter in one.dead_letters()] == [
        ("mapper", "raw.prestashop.v1")
    ]
