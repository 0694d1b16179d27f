"""The fake shop is strict where the real one is: quota, cost, idempotency, times, payloads."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest

from connectors.kit.clock import ManualClock
from connectors.shopify import queries
from connectors.shopify.fake.api import Answer, Api
from connectors.shopify.fake.bucket import Bucket
from connectors.shopify.fake.edits import BadEdit, edit
from connectors.shopify.fake.options import Options, UnknownOption
from connectors.shopify.fake.records import Change
from connectors.shopify.fake.store import NotThere, Shop
from connectors.shopify.fake.subscriptions import Subscriptions
from connectors.shopify.fake.tokens import AccessTokens


class Fixture:
    """A shop without a wire."""

    def __init__(self, **options: Any) -> None:
        self.clock, self.changes = ManualClock(), list[Change]()
        self.options = Options(**options)
        self.shop = Shop(self.options, self.clock, self.changes.append, {7: "BER"})
        self.bucket = Bucket(self.options, self.clock)
        self.subscriptions = Subscriptions(self.options, self.clock)
        self.tokens = AccessTokens(self.options, self.clock)
        self.api = Api(self.shop, self.bucket, self.clock, self.subscriptions, self.tokens)
        self.variant = self.shop.create_product("Shirt", {"TEE-M": "19.90"}, stock=5).variants[0]

    def ask(self, document: str, variables: dict[str, Any], version: str = "2026-10", token: str = "") -> Answer:
        headers = {"x-shopify-access-token": token or self.options.access_token, "x-request-id": "op-1"}
        return self.api.answer(version, headers, orjson.dumps({"query": document, "variables": variables}))

    def set_stock(self, quantity: int, key: str = "k1", version: str = "2026-10") -> Answer:
        entry = {
            "inventoryItemId": f"gid://shopify/InventoryItem/{self.variant.item_id}",
            "locationId": "gid://shopify/Location/7",
            "quantity": quantity,
            "changeFromQuantity": None,
        }
        fields = {"name": "available", "reason": "correction", "quantities": [entry]}
        return self.ask(queries.SET_QUANTITIES_IDEMPOTENT, {"input": fields, "key": key}, version)

    @property
    def available(self) -> int:
        return self.shop.level(self.variant.item_id, 7).available


def user_errors(answer: Answer) -> list[str]:
    payload = answer.body["data"]["inventorySetQuantities"]
    return [error["code"] for error in payload["userErrors"]]


# ----------------------------------------------------------------------------------------------- quota


def test_the_bucket_refills_with_time_and_never_beyond_its_size() -> None:
    clock = ManualClock()
    bucket = Bucket(Options(bucket=100, restore_rate=10), clock)
    assert bucket.take(100)
    assert not bucket.take(1)
    clock.advance(1)
    assert bucket.take(10)
    clock.advance(60)
    assert bucket.level == 100
    assert (bucket.stats.throttled, bucket.stats.low_water) == (1, 0.0)


def test_a_rival_takes_its_share_unseen() -> None:
    clock = ManualClock()
    bucket = Bucket(Options(bucket=100, restore_rate=10, rival=4), clock)
    bucket.take(100)
    clock.advance(10)
    assert bucket.level == 60
    assert bucket.throttle_status()["restoreRate"] == 10
    assert bucket.stats.refill == 160


def test_a_quota_can_change_while_it_runs() -> None:
    clock, options = ManualClock(), Options(bucket=100, restore_rate=10)
    bucket = Bucket(options, clock)
    options.change({"restore_rate": 1, "bucket": 50})
    assert bucket.level == 50
    bucket.take(50)
    clock.advance(10)
    assert bucket.level == 10


def test_a_throttled_request_is_http_200_charges_nothing_and_changes_nothing() -> None:
    shop = Fixture(bucket=12.0)
    assert shop.set_stock(9).status == 200
    throttled = shop.set_stock(10, key="k2")
    assert (throttled.status, throttled.body["errors"][0]["extensions"]["code"]) == (200, "THROTTLED")
    assert throttled.body["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] == 2
    assert (shop.available, shop.bucket.stats.throttled) == (9, 1)


def test_a_throttled_request_can_be_http_429_with_retry_after() -> None:
    shop = Fixture(bucket=12.0, throttle_with_429=True)
    shop.set_stock(9)
    throttled = shop.set_stock(10, key="k2")
    assert (throttled.status, throttled.headers["retry-after"]) == (429, "0.08")


@pytest.mark.parametrize(
    ("document", "cost"),
    [
        (queries.PRODUCTS, queries.PRODUCTS_COST),
        (queries.PRODUCT, queries.PRODUCT_COST),
        (queries.PRODUCT_VARIANTS, queries.PRODUCT_VARIANTS_COST),
        (queries.INVENTORY_ITEM, queries.INVENTORY_ITEM_COST),
        (queries.LOCATION_LEVELS, queries.LOCATION_LEVELS_COST),
    ],
)
def test_every_document_of_ours_is_valid_below_the_limit_and_costs_what_we_expect(document: str, cost: int) -> None:
    first = {queries.PRODUCTS: queries.PRODUCT_PAGE, queries.PRODUCT_VARIANTS: queries.VARIANT_PAGE}
    variables = {
        "id": "gid://shopify/Location/7",
        "first": first.get(document, queries.LEVEL_PAGE),
        "variants": queries.VARIANTS_PER_PRODUCT,
        "levels": queries.LEVELS_PER_ITEM,
    }
    answer = Fixture().ask(document, variables)
    assert "errors" not in answer.body
    charged = answer.body["extensions"]["cost"]
    assert charged["requestedQueryCost"] == cost < 1000
    assert charged["actualQueryCost"] <= cost


def test_what_was_not_used_is_given_back() -> None:
    shop = Fixture()
    cost = shop.ask(queries.PRODUCTS, {"first": 10, "variants": 10}).body["extensions"]["cost"]
    assert cost["actualQueryCost"] == 2 + 1 + 2 + 5
    assert shop.bucket.level == 2000 - cost["actualQueryCost"]


def test_a_document_that_costs_too_much_is_refused() -> None:
    answer = Fixture().ask(queries.PRODUCTS, {"first": 250, "variants": 250})
    assert answer.body["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"


# ----------------------------------------------------------------------------------------------- requests


def test_a_wrong_token_is_401_and_a_wrong_version_404() -> None:
    assert Fixture().ask(queries.PRODUCT, {}, token="shpat_other").status == 401
    assert Fixture().ask(queries.PRODUCT, {}, version="latest").status == 404


def test_a_document_that_does_not_fit_the_schema_is_refused() -> None:
    assert "errors" in Fixture().ask("{ product(id: 1) { colour } }", {}).body
    assert "errors" in Fixture().ask("{", {}).body


def test_a_repeated_key_carries_the_operation_out_once() -> None:
    shop = Fixture()
    shop.set_stock(9)
    shop.shop.set_available(shop.variant, 7, 4)
    assert user_errors(shop.set_stock(9)) == []
    assert shop.available == 4
    assert [(entry.actor, entry.value) for entry in shop.shop.journal] == [("api", "9"), ("admin", "4")]


def test_a_key_with_another_body_is_refused_and_after_a_day_forgotten() -> None:
    shop = Fixture()
    shop.set_stock(9)
    assert user_errors(shop.set_stock(8)) == ["IDEMPOTENCY_KEY_PARAMETER_MISMATCH"]
    shop.clock.advance(86_401)
    assert user_errors(shop.set_stock(8)) == []
    assert shop.available == 8


def test_from_2026_04_a_key_is_required() -> None:
    shop = Fixture()
    fields = {"name": "available", "reason": "correction", "quantities": []}
    assert "errors" in shop.ask(queries.SET_QUANTITIES, {"input": fields}).body
    assert "errors" not in shop.ask(queries.SET_QUANTITIES, {"input": fields}, version="2026-01").body


def test_an_unknown_item_or_location_is_a_user_error() -> None:
    shop = Fixture()
    shop.variant.item_id = 999
    assert user_errors(shop.set_stock(1)) == ["INVALID_INVENTORY_ITEM"]


def test_an_item_that_is_not_stocked_there_is_a_user_error() -> None:
    shop = Fixture()
    shop.shop.disconnect(shop.variant, 7)
    assert user_errors(shop.set_stock(1)) == ["ITEM_NOT_STOCKED_AT_LOCATION"]


# ----------------------------------------------------------------------------------------------- records


def test_the_journal_names_operation_and_actor_of_every_accepted_write() -> None:
    shop = Fixture()
    shop.set_stock(9)
    (entry,) = shop.shop.journal
    assert (entry.sequence, entry.actor, entry.request_id, entry.sku, entry.value) == (1, "api", "op-1", "TEE-M", "9")
    assert entry.changed


def test_times_have_whole_seconds_and_triggers_never_repeat() -> None:
    shop = Fixture()
    shop.clock.advance(1.5)
    shop.shop.set_price(shop.variant, Decimal(1))
    shop.shop.set_price(shop.variant, Decimal(2))
    assert shop.variant.updated_at % 1_000_000 == 0
    triggers = [change.triggered_at for change in shop.changes]
    assert triggers == sorted(set(triggers))


def test_an_edit_that_changes_nothing_tells_nobody() -> None:
    shop = Fixture()
    before = len(shop.changes)
    shop.shop.set_available(shop.variant, 7, 5)
    assert len(shop.changes) == before
    assert not shop.shop.journal[-1].changed


def test_the_search_index_is_late_by_its_lag() -> None:
    shop = Fixture(index_lag=10.0)
    variables = {"first": 10, "variants": 1, "query": "updated_at:<='2030-01-01T00:00:00Z'"}
    assert not shop.ask(queries.PRODUCTS, variables).body["data"]["products"]["nodes"]
    shop.clock.advance(10)
    assert shop.ask(queries.PRODUCTS, variables).body["data"]["products"]["nodes"]


@pytest.mark.parametrize(
    ("values", "topic"),
    [
        ({"do": "set_price", "sku": "TEE-M", "price": "3.00"}, "products/update"),
        ({"do": "set_available", "sku": "TEE-M", "location": "BER", "available": 3}, "inventory_levels/update"),
        ({"do": "set_tracked", "sku": "TEE-M", "tracked": False}, "inventory_levels/update"),
        ({"do": "disconnect", "sku": "TEE-M", "location": 7}, "inventory_levels/disconnect"),
        ({"do": "create_product", "title": "Cap", "variants": {"CAP": "5.00"}}, "products/create"),
        ({"do": "create_order", "lines": {"TEE-M": 2}}, "orders/create"),
    ],
)
def test_every_edit_tells_the_world(values: dict[str, Any], topic: str) -> None:
    shop = Fixture()
    edit(shop.shop, values)
    assert shop.changes[-1].topic == topic


@pytest.mark.parametrize(
    "values",
    [None, {}, {"do": "burn"}, {"do": "set_price", "sku": "TEE-M"}, {"do": "set_price", "sku": "TEE-M", "price": "x"}],
)
def test_an_edit_that_is_not_understood_is_refused(values: object) -> None:
    with pytest.raises(BadEdit):
        edit(Fixture().shop, values)


def test_an_edit_of_an_unknown_sku_says_so() -> None:
    with pytest.raises(NotThere, match="HAT"):
        edit(Fixture().shop, {"do": "set_price", "sku": "HAT", "price": "1"})


@pytest.mark.parametrize("values", [{"speed": 1}, {"outage": 1}, {"bucket": "big"}, {"seed": True}])
def test_an_option_is_changed_by_name_and_type_or_not_at_all(values: dict[str, Any]) -> None:
    options = Options()
    with pytest.raises(UnknownOption):
        options.change({"rival": 5.0, **values})
    assert options.rival == 0.0


# --------------------------------------------------------------------------------------- tokens, subscriptions


def grant(shop: Fixture, **form: str) -> tuple[int, dict[str, Any]]:
    wanted = {"grant_type": "client_credentials", "client_id": "fake-client", "client_secret": "fake-client-secret"}
    return shop.tokens.grant({**wanted, **form})


def test_a_token_that_was_asked_for_is_good_until_it_ends() -> None:
    shop = Fixture(token_life=100.0, refuse_fixed_token=True)
    status, body = grant(shop)
    assert (status, body["expires_in"]) == (200, 99)
    query = "{ shop { name } }"
    assert shop.ask(query, {}, token=body["access_token"]).status == 200
    assert shop.ask(query, {}).status == 401
    shop.clock.advance(100)
    assert shop.ask(query, {}, token=body["access_token"]).status == 401


@pytest.mark.parametrize("form", [{"client_secret": "guessed"}, {"client_id": "x"}, {"grant_type": "password"}])
def test_a_token_is_refused_to_strangers(form: dict[str, str]) -> None:
    status, body = grant(Fixture(), **form)
    assert (status, "access_token" in body) == (400, False)


def subscribe(shop: Fixture, topic: str = "ORDERS_CREATE", uri: str = "https://in.example/hook") -> list[str]:
    answer = shop.ask(queries.SUBSCRIBE, {"topic": topic, "subscription": {"uri": uri}})
    return [error["message"] for error in answer.body["data"]["webhookSubscriptionCreate"]["userErrors"]]


def test_a_subscription_is_made_once_and_listed() -> None:
    shop = Fixture()
    assert subscribe(shop) == []
    assert subscribe(shop) == ["Address for this topic has already been taken"]
    assert subscribe(shop, uri="http://in.example") == ["Address protocol http:// is not supported"]
    answer = shop.ask(queries.SUBSCRIPTIONS, {"first": 10, "after": None})
    (node,) = answer.body["data"]["webhookSubscriptions"]["nodes"]
    assert (node["topic"], node["uri"]) == ("ORDERS_CREATE", "https://in.example/hook")


def test_a_subscription_is_removed_after_eight_failures_in_a_row() -> None:
    shop = Fixture()
    subscribe(shop)
    (one,) = shop.subscriptions.of("orders/create")
    for accepted in [False] * 7 + [True] + [False] * 7:
        shop.subscriptions.answered(one, accepted=accepted)
    assert shop.subscriptions.all() == [one]
    shop.subscriptions.answered(one, accepted=False)
    assert (shop.subscriptions.all(), shop.subscriptions.removed) == ([], 1)
