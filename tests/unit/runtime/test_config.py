"""The configuration file: what it becomes, and how each mistake is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.kit.contract import Account
from connectors.kit.errors import Misconfigured
from schemas.entities import EntityType, Lane, Op
from streams.core.lanes import Lanes
from streams.core.policy import Flow, Ordering, OrderingMode, Policy, PolicyKind, TaskKind
from streams.runtime.config import Config, load

PLATFORMS = {"shopify", "prestashop"}
GOOD = """\
tenants:
  acme:
    accounts:
      shop-de:
        platform: shopify
        base_url: http://127.0.0.1:9001
        priority: 10
        settings: {currency: EUR, locations: "655441491=MAIN", page: 50}
        secrets:
          webhook: ["env:NEW", "value:old"]
          access_token: env:TOKEN
      shop-ps:
        platform: prestashop
        base_url: https://ps.example/shop
        clock_offset: -1.5
policies:
  revision: 7
  price: {kind: lww}
  inventory_level: {kind: owner, owners: [shop-ps, shop-de]}
  order: {kind: single}
ordering:
  default: {mode: time, lateness: 3}
  price: {mode: arrival}
max_future_skew: 60
flows:
  stock: {entity: inventory_level, to: [shop-de, shop-ps], fields: [available], lane: high}
  price: {entity: price, to: shop-ps, fields: [amount]}
"""
ENVIRON = {"NEW": "new-secret", "TOKEN": "shpat_1"}


def read(tmp_path: Path, text: str = GOOD, environ: dict[str, str] | None = None, **options: Any) -> Config:
    file = tmp_path / "sluice.yaml"
    file.write_text(text)
    return load(file, PLATFORMS, supports, ENVIRON if environ is None else environ, **options)


def supports(platform: str, kind: EntityType, op: Op) -> bool:
    return platform == "shopify" or kind in (EntityType.PRICE, EntityType.INVENTORY_LEVEL)


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        read(tmp_path, text)
    return str(caught.value).splitlines()


def test_accounts_come_with_their_secrets_read(tmp_path: Path) -> None:
    accounts = read(tmp_path).accounts
    assert list(accounts) == [("acme", "shop-de"), ("acme", "shop-ps")]
    shop = accounts["acme", "shop-de"]
    assert (shop.tenant, shop.id, shop.platform, shop.priority) == ("acme", "shop-de", "shopify", 10)
    assert shop.settings == {"currency": "EUR", "locations": "655441491=MAIN", "page": "50"}
    assert shop.secrets == {"webhook": ("new-secret", "old"), "access_token": ("shpat_1",)}
    other = accounts["acme", "shop-ps"]
    assert (other.clock_offset, other.priority, other.secrets) == (-1.5, 100, {})


def test_rules_become_values(tmp_path: Path) -> None:
    rules = read(tmp_path).rules
    assert (rules.revision, rules.max_future_skew) == (7, 60.0)
    assert rules.policy(EntityType.INVENTORY_LEVEL) == Policy(PolicyKind.OWNER, ("shop-ps", "shop-de"))
    assert rules.policy(EntityType.PRODUCT) == Policy(PolicyKind.LWW)
    assert rules.order(EntityType.ORDER) == Ordering(OrderingMode.TIME, 3.0)
    assert rules.order(EntityType.PRICE) == Ordering(OrderingMode.ARRIVAL, 3.0)
    assert rules.flows == (
        Flow("stock", EntityType.INVENTORY_LEVEL, ("shop-de", "shop-ps"), ("available",), Lane.HIGH, TaskKind.SET),
        Flow("price", EntityType.PRICE, ("shop-ps",), ("amount",), Lane.NORMAL, TaskKind.SET),
    )


def test_accounts_alone_are_a_whole_file(tmp_path: Path) -> None:
    text = "tenants: {acme: {accounts: {shop-de: {platform: shopify, base_url: 'http://h'}}}}"
    rules = read(tmp_path, text).rules
    assert (rules.revision, rules.max_future_skew, rules.flows) == (1, 300.0, ())
    assert rules.order(EntityType.PRICE) == Ordering()


def test_anchors_may_be_used_to_say_things_once(tmp_path: Path) -> None:
    text = GOOD.replace("  default: {mode: time, lateness: 3}", "  default: &d {mode: time, lateness: 3}").replace(
        "  price: {mode: arrival}", "  price: {<<: *d, mode: arrival}"
    )
    assert read(tmp_path, text).rules.order(EntityType.PRICE) == Ordering(OrderingMode.ARRIVAL, 3.0)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("platform: shopify", "platform: magento",
         "sluice.yaml:5: tenants.acme.accounts.shop-de.platform: 'magento' is not a platform; allowed: prestashop, sh"),
        ("platform: shopify", "platfrom: shopify",
         "sluice.yaml:5: tenants.acme.accounts.shop-de.platfrom: unknown key, did you mean platform?; allowed: base"),
        ("        base_url: http://127.0.0.1:9001\n", "",
         "sluice.yaml:5: tenants.acme.accounts.shop-de: base_url is missing"),
        ("http://127.0.0.1:9001", "ftp://shop", "shop-de.base_url: must be a URL; allowed: http://HOST"),
        ("http://127.0.0.1:9001", "http://me:pw@shop", "shop-de.base_url: must hold no user, password"),
        ("priority: 10", "priority: first",
         "sluice.yaml:7: tenants.acme.accounts.shop-de.priority: must be a whole number"),
        ("clock_offset: -1.5", "clock_offset: .nan", "shop-ps.clock_offset: must be a number"),
        ("clock_offset: -1.5", "clock_offset: .inf", "shop-ps.clock_offset: must be a number"),
        ("lateness: 3", "lateness: true", "ordering.default.lateness: must be a number of at least 0"),
        ("page: 50", "page: [50]", "settings.page: must be a single value"),
        ('"env:NEW"', '"env:GONE"',
         "sluice.yaml:10: tenants.acme.accounts.shop-de.secrets.webhook[0]: environment variable GONE is not set"),
        ('"env:NEW"', "hush", "secrets.webhook[0]: a secret must be a reference, and this one is not"),
        ("      shop-ps:", "      shop-de:", "sluice.yaml:12: tenants.acme.accounts.shop-de: stands here twice"),
        ("      shop-ps:", "      shop ps:", "name 'shop ps' is not allowed; allowed: up to 63 letters"),
        ("revision: 7", "revision: 0", "policies.revision: must be a whole number of at least 1"),
        ("price: {kind: lww}", "prices: {kind: lww}", "policies.prices: unknown key, did you mean price?"),
        ("{kind: lww}", "{kind: newest}",
         "sluice.yaml:18: policies.price.kind: 'newest' is not known; allowed: single, owner, lww"),
        ("{kind: lww}", "{kind: lww, owners: [shop-de]}", "policies.price.owners: kind lww has no owners"),
        ("{kind: lww}", "{kind: owner}", "policies.price: kind owner needs owners"),
        ("owners: [shop-ps, shop-de]", "owners: [shop-at]",
         "sluice.yaml:19: policies.inventory_level.owners[0]: 'shop-at' is not an account of any tenant; allowed: sho"),
        ("owners: [shop-ps, shop-de]", "owners: [shop-ps, shop-ps]", "owners: names an account twice"),
        ("owners: [shop-ps, shop-de]", "owners: []", "owners: must name an account"),
        ("lateness: 3", "lateness: -1", "sluice.yaml:22: ordering.default.lateness: must be a number of at least 0"),
        ("mode: arrival", "mode: random", "allowed: time, contiguous, arrival"),
        ("max_future_skew: 60", "max_future_skew: soon", "sluice.yaml:24: max_future_skew: must be a number"),
        ("entity: price", "entity: prices",
         "sluice.yaml:27: flows.price.entity: 'prices' is not known; allowed: product, variant, price, inventory"),
        ("fields: [amount]", "fields: [amuont]",
         "flows.price.fields[0]: 'amuont' is not a field of price; allowed: amount"),
        ("fields: [amount]", "fields: []", "flows.price.fields: must name a field"),
        ("lane: high", "lane: fast", "flows.stock.lane: 'fast' is not known; allowed: high, normal, bulk"),
        ("to: shop-ps", "to: shop-at", "flows.price.to: 'shop-at' is not an account of any tenant"),
        ("entity: price, to: shop-ps, fields: [amount]", "entity: order, to: shop-ps, fields: [status]",
         "flows.price.to: prestashop (shop-ps) cannot hold order; allowed: price, inventory_level"),
        ("flows:", "flow:", "sluice.yaml:26: flow: unknown key, did you mean flows?"),
        (GOOD[GOOD.index("    accounts"):GOOD.index("policies")], "    accounts: {}\n", "no account is configured"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_line_path_and_what_is_allowed(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in GOOD
    found = problems(tmp_path, GOOD.replace(old, new, 1))
    assert any(told in line for line in found), found


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = GOOD.replace("priority: 10", "priority: x").replace("kind: lww", "kind: x").replace("lane: high", "lane: x")
    assert [line.split(":")[1] for line in problems(tmp_path, text)] == ["7", "18", "26"]


def test_a_secret_never_stands_in_an_error(tmp_path: Path) -> None:
    text = GOOD.replace('"env:NEW"', "hush-hush").replace('"value:old"', "[hush-hush]")
    assert "hush-hush" not in "\n".join(problems(tmp_path, text))


def test_secrets_may_be_left_unread(tmp_path: Path) -> None:
    config = read(tmp_path, environ={}, with_secrets=False)
    assert config.accounts["acme", "shop-de"].secrets["webhook"] == ("", "")


@pytest.mark.parametrize(("text", "told"), [("a: [1", "sluice.yaml:1: not YAML"), ("[1, 2]", "must be a mapping")])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: str, told: str) -> None:
    assert told in problems(tmp_path, text)[0]


def test_an_empty_file_is_told_what_it_lacks(tmp_path: Path) -> None:
    assert problems(tmp_path, "") == ["sluice.yaml:1: file: tenants is missing"]


def test_a_missing_file_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"cannot be read.*SLUICE_CONFIG_FILE"):
        load(tmp_path / "none.yaml", PLATFORMS)


def test_only_secrets_of_named_platforms_are_read(tmp_path: Path) -> None:
    both = GOOD.replace("clock_offset: -1.5", "secrets: {webservice_key: env:KEY}")
    config = read(tmp_path, both, environ={"KEY": "k"}, secrets_of=["prestashop"])
    assert config.accounts["acme", "shop-ps"].secrets == {"webservice_key": ("k",)}
    assert config.accounts["acme", "shop-de"].secrets == {"webhook": ("", ""), "access_token": ("",)}
    assert read(tmp_path, both, {}, secrets_of=()).accounts["acme", "shop-ps"].secrets == {"webservice_key": ("",)}
    with pytest.raises(Misconfigured, match="environment variable TOKEN"):
        read(tmp_path, both, environ={"KEY": "k"}, secrets_of=["prestashop", "shopify"])


def test_what_a_platform_says_of_settings_is_told_with_its_place_beside_all_other_problems(tmp_path: Path) -> None:
    def check(account: Account) -> None:
        raise Misconfigured(f"account {account.id}: wrong")

    with pytest.raises(Misconfigured) as caught:
        read(tmp_path, GOOD.replace("mode: arrival", "mode: never"), check=check)
    told = str(caught.value)
    assert "sluice.yaml:8: tenants.acme.accounts.shop-de.settings: account shop-de: wrong" in told
    assert "account shop-ps: wrong" in told, "an account without settings is looked into as well"
    assert "ordering.price.mode" in told


def test_the_brake_and_the_graves_have_settings(tmp_path: Path) -> None:
    rules = read(tmp_path, GOOD + "mass_delete: {most: 5, within: 60}\ngrave_days: 7\n").rules
    assert (rules.mass_delete.most, rules.mass_delete.within, rules.grave_days) == (5, 60.0, 7)
    rules = read(tmp_path).rules
    assert (rules.mass_delete.most, rules.mass_delete.within, rules.grave_days) == (1_000, 3_600.0, 100)


def test_an_account_may_have_a_second_address_for_its_reads(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD.replace("clock_offset: -1.5", "fallback_url: https://copy.example/shop"))
    assert found.accounts["acme", "shop-ps"].fallback_url == "https://copy.example/shop"
    assert found.accounts["acme", "shop-de"].fallback_url == ""
    (told,) = problems(tmp_path, GOOD.replace("clock_offset: -1.5", "fallback_url: copy.example"))
    assert told.startswith("sluice.yaml:15: tenants.acme.accounts.shop-ps.fallback_url: must be a URL")


LANES = """\
        clock_offset: -1.5
        lanes:
          floors: {normal: 0.3}
          hours: {bulk: 22:00-06:00}
          timezone: Europe/Paris
"""


def test_an_account_says_how_its_lanes_share_the_quota_and_when(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD.replace("        clock_offset: -1.5\n", LANES))
    lanes = found.lanes_of(found.accounts["acme", "shop-ps"])
    assert lanes.floors == {Lane.HIGH: pytest.approx(0.6), Lane.NORMAL: 0.3, Lane.BULK: 0.1}
    assert str(lanes.hours["bulk"]) == "22:00-06:00"
    noon_in_winter = 12 * 3600.0
    assert lanes.hours["bulk"].opens_at(noon_in_winter) == 21 * 3600.0
    assert found.lanes_of(found.accounts["acme", "shop-de"]) == Lanes()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{normal: 0.3}", "{normal: 0.7, bulk: 0.4}", "17: tenants.acme.accounts.shop-ps.lanes.floors: lane floors"),
        ("{normal: 0.3}", "{high: 0.9, normal: 0.3}", "add up to 1 at most; lower one: high is what normal and bulk"),
        ("{normal: 0.3}", "{urgent: 0.3}", "lanes.floors.urgent: unknown key; allowed: bulk, high, normal"),
        ("{normal: 0.3}", "{normal: -1}", "lanes.floors.normal: must be a number of at least 0"),
        ("22:00-06:00", "at night", "18: tenants.acme.accounts.shop-ps.lanes.hours.bulk: hours 'at night' cannot"),
        ("Europe/Paris", "Paris", "19: tenants.acme.accounts.shop-ps.lanes.timezone: 'Paris' is not a time zone"),
        ("timezone:", "time_zone:", "lanes.time_zone: unknown key, did you mean timezone?"),
    ],
)
def test_what_is_wrong_with_lanes_is_told_with_its_place(tmp_path: Path, old: str, new: str, told: str) -> None:
    (problem,) = problems(tmp_path, GOOD.replace("        clock_offset: -1.5\n", LANES).replace(old, new))
    assert problem.startswith("sluice.yaml:")
    assert told in problem
