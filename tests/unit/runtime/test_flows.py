"""The flows of a configuration, inline or in a file of their own: what they become, and how mistakes are told."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from connectors.kit.errors import Misconfigured
from schemas.entities import EntityType, Lane, Op
from streams.core import flowrow
from streams.core.condition import Comparison, Condition, Operator
from streams.core.policy import Flow, OnDelete, OnDrift, Rules, TaskKind, Tax
from streams.core.route import Route
from streams.runtime.config import Config, load

CONFIG = """\
tenants:
  acme:
    accounts:
      shop: {platform: shopify, base_url: "http://s"}
      presta: {platform: prestashop, base_url: "http://p"}
      wms: {platform: wms, base_url: "http://w"}
"""
GOOD = """\
revision: 4
flows:
  orders:
    entity: order
    kind: command
    when:
      financial_status: [PAID, PARTIALLY_REFUNDED]
      status: {not_in: CANCELLED}
      total.amount: {at_least: 1}
      placed_at: {after: 2026-11-21T00:00:00Z}
      lines: {exists: true}
    from: [shop, presta]
    to: wms
    max_age: 86400
  shipments: {entity: fulfilment, kind: command, when: {status: SHIPPED}, to: origin, lane: high}
  prices:
    entity: price
    to: [shop, presta]
    fields: [amount]
    tax: {rate: 0.19, bases: {shop: INCLUDED, presta: EXCLUDED}, step: 0.05}
  titles: {entity: product, to: presta, fields: [title], deletes: delete, on_drift: report}
"""


def supports(platform: str, kind: EntityType, op: Op) -> bool:
    if platform == "wms":
        return kind is EntityType.ORDER
    return kind is not EntityType.ORDER and (op is Op.UPSERT or platform == "prestashop")


def read(folder: Path, flows: str | None = GOOD, config: str = CONFIG, name: str = "flows.yaml") -> Rules:
    (folder / "sluice.yaml").write_text(config)
    if flows is not None:
        (folder / name).write_text(flows)
    named = folder / name if name != "flows.yaml" else None
    return load(folder / "sluice.yaml", {"shopify", "prestashop", "wms"}, supports, flows=named).rules


def problems(folder: Path, flows: str | None = GOOD, config: str = CONFIG) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        read(folder, flows, config)
    return str(caught.value).splitlines()


def test_a_file_beside_the_configuration_is_read(tmp_path: Path) -> None:
    rules = read(tmp_path)
    assert rules.flows_revision == 4
    orders, shipments, prices, titles = rules.flows
    assert orders.when == Condition(
        (
            Comparison(("financial_status",), Operator.IN, ("PAID", "PARTIALLY_REFUNDED")),
            Comparison(("status",), Operator.NOT_IN, ("CANCELLED",)),
            Comparison(("total", "amount"), Operator.AT_LEAST, Decimal(1)),
            Comparison(("placed_at",), Operator.AFTER, datetime(2026, 11, 21, tzinfo=UTC)),
            Comparison(("lines",), Operator.EXISTS, True),
        )
    )
    assert (orders.kind, orders.to, orders.source, orders.max_age) == (
        TaskKind.COMMAND,
        ("wms",),
        ("shop", "presta"),
        86400.0,
    )
    assert {"number", "lines"} < set(orders.fields)
    assert not {"meta", "extra"} & set(orders.fields)
    assert (shipments.to_origin, shipments.to, shipments.lane) == (True, (), Lane.HIGH)
    assert prices.tax == Tax(Decimal("0.19"), {"shop": "INCLUDED", "presta": "EXCLUDED"}, Decimal("0.05"))
    assert (titles.deletes, titles.on_drift, titles.kind) == (OnDelete.DELETE, OnDrift.REPORT, TaskKind.SET)


def test_a_file_that_is_named_is_read_instead(tmp_path: Path) -> None:
    assert read(tmp_path, "revision: 2\nflows: {}\n", name="others.yaml").flows_revision == 2
    with pytest.raises(Misconfigured, match=r"none\.yaml cannot be read.*SLUICE_FLOWS_FILE"):
        load(tmp_path / "sluice.yaml", {"shopify", "prestashop", "wms"}, flows=tmp_path / "none.yaml")


def test_flows_in_the_configuration_file_have_no_revision(tmp_path: Path) -> None:
    rules = read(tmp_path, None, CONFIG + "flows: {price: {entity: price, to: shop, fields: [amount]}}\n")
    assert rules.flows == (Flow("price", EntityType.PRICE, ("shop",), ("amount",)),)
    assert rules.flows_revision == 0


def test_flows_in_both_places_are_refused(tmp_path: Path) -> None:
    (told,) = problems(tmp_path, GOOD, CONFIG + "flows: {price: {entity: price, to: shop, fields: [amount]}}\n")
    assert told.startswith("sluice.yaml:7: flows: stands in ")
    assert "SLUICE_FLOWS_FILE" in told


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("revision: 4\n", "", "flows.yaml:1: file: revision is missing"),
        ("revision: 4", "revision: 0", "flows.yaml:1: revision: must be a whole number of at least 1"),
        ("PAID, PART", "PAYED, PART", "flows.orders.when.financial_status[0]: 'PAYED' is not a value it can have; al"),
        ("financial_status:", "financial_state:", "when.financial_state: 'financial_state' cannot be compared"),
        ("total.amount", "total", "flows.yaml:9: flows.orders.when.total: 'total' cannot be compared; allowed"),
        ("at_least: 1", "at_least: much", "flows.orders.when.total.amount.at_least: must be a number"),
        ("at_least: 1", "after: 1", "when.total.amount.after: unknown key; allowed: at_least, at_most, exists"),
        ("2026-11-21T00:00:00Z", "yesterday", "when.placed_at.after: must be a time with its zone; allowed: e.g. 2026"),
        ("2026-11-21T00:00:00Z", "2026-11-21", "when.placed_at.after: must be a time with its zone"),
        ("exists: true", "exists: maybe", "flows.orders.when.lines.exists: must be true or false"),
        ("lines: {exists: true}", "lines: [a]", "when.lines: holds a list or map, so a comparison is needed"),
        ("from: [shop, presta]", "from: [shop, prest]", "flows.orders.from[1]: 'prest' is not an account of any"),
        ("max_age: 86400", "max_age: 0", "flows.orders.max_age: must be a number of at least 1"),
        ("max_age: 86400", "on_drift: report", "flows.orders.on_drift: on_drift is for flows of sets; a command is"),
        ("kind: command, when", "when", "flows.shipments.to: origin is where an order was placed; allowed: for comm"),
        ("entity: fulfilment, kind", "entity: order, kind", "flows.shipments.to: origin is where an order was placed"),
        ("bases: {shop:", "bases: {shup:", "flows.prices.tax.bases.shup: unknown key, did you mean shop?"),
        ("shop: INCLUDED", "shop: GROSS", "flows.prices.tax.bases.shop: 'GROSS' is not a tax basis; allowed: EXCL"),
        ("step: 0.05", "step: 0", "flows.prices.tax.step: must be above 0"),
        ("rate: 0.19, ", "", "flows.prices.tax: rate is missing"),
        ("fields: [amount]\n", "fields: [amount]\n    on_drift: adopt\n", "on_drift: a flow with tax always repairs"),
        ("entity: price", "entity: inventory_level", "flows.prices.tax: a tax rule is for flows of price"),
        ("to: presta, fields", "to: shop, fields", "flows.titles.to: shopify (shop) cannot delete product; allowed: n"),
        ("    to: wms\n", "    to: shop\n", "flows.orders.to: shopify (shop) cannot hold order; allowed: product"),
        ("fields: [title], ", "", "flows.titles: fields is missing"),
        ("deletes: delete", "deletes: never", "flows.titles.deletes: 'never' is not known; allowed: ignore, delete"),
        ("on_drift: report", "on_drift: hope", "on_drift: 'hope' is not known; allowed: repair, report, adopt"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_line_path_and_what_is_allowed(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in GOOD
    found = problems(tmp_path, GOOD.replace(old, new, 1))
    assert any(told in line for line in found), found


def test_sets_of_a_type_that_is_put_together_from_parts_move_always(tmp_path: Path) -> None:
    config = CONFIG + "policies: {product: {kind: lww, partial: true}}\n"
    (told,) = problems(tmp_path, GOOD, config)
    assert "flows.titles.on_drift: product is put together from parts" in told


def test_hours_of_a_flow_are_kept_by_the_clock_of_each_account(tmp_path: Path) -> None:
    config = CONFIG.replace('"http://s"}', '"http://s", lanes: {timezone: Europe/Paris, hours: {bulk: 1:00-2:00}}}')
    flow = "titles: {entity: product, to: [shop, presta], fields: [title], hours: 22:00-06:00}"
    (tmp_path / "sluice.yaml").write_text(f"{config}flows:\n  {flow}\n")
    found = load(tmp_path / "sluice.yaml", {"shopify", "prestashop", "wms"})
    shop, presta = (found.lanes_of(found.accounts["acme", name]) for name in ("shop", "presta"))
    midsummer = datetime(2026, 7, 1, 5, tzinfo=UTC).timestamp()
    assert shop.hours["set:titles"].opens_at(midsummer) == midsummer + 15 * 3600
    assert presta.hours["set:titles"].opens_at(midsummer) == midsummer
    assert set(shop.hours) == {"bulk", "set:titles"}
    assert flowrow.plain(found.rules.flows[0])["hours"] == "22:00-06:00"


def test_hours_that_cannot_be_read_are_told_with_their_place(tmp_path: Path) -> None:
    told = problems(tmp_path, GOOD.replace("max_age: 86400", "max_age: 86400\n    hours: nights"))
    assert told == [
        "flows.yaml:15: flows.orders.hours: hours 'nights' cannot be read; write them as 22:00-06:00, 12:30-13:30"
    ]


FALLBACK = """\
revision: 1
flows:
  orders: {entity: order, kind: command, to: near, fallback: far}
"""
YARD = """\
tenants:
  acme: {accounts: {near: {platform: wms, base_url: "http://n"}, far: {platform: wms, base_url: "http://f"}}}
  lone: {accounts: {near: {platform: wms, base_url: "http://n"}, shop: {platform: shopify, base_url: "http://s"}}}
"""


def yard(folder: Path, flows: str = FALLBACK, *, reroutable: bool = True) -> Config:
    (folder / "sluice.yaml").write_text(YARD)
    (folder / "flows.yaml").write_text(flows)
    return load(folder / "sluice.yaml", {"shopify", "wms"}, reroutable=lambda *_: reroutable)


def test_a_flow_of_commands_names_who_stands_in_for_an_account(tmp_path: Path) -> None:
    found = yard(tmp_path)
    assert found.fallbacks_of(found.accounts["acme", "near"]) == {"orders": Route("far", "wms")}
    assert found.fallbacks_of(found.accounts["acme", "far"]) == {}
    assert found.fallbacks_of(found.accounts["lone", "near"]) == {}
    assert flowrow.plain(found.rules.flows[0])["fallback"] == "far"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("fallback: far", "fallback: near", "near is the account itself"),
        ("fallback: far", "fallback: fra", "'fra' is not an account of any tenant; allowed: far, near, shop"),
        ("fallback: far", "fallback: shop", "both accounts must be of one platform, not shopify and wms"),
        ("to: near", "to: [near, shop]", "fallback is for commands to one account"),
        ("kind: command, to", "fields: [number], to", "fallback is for commands to one account"),
        ("far}", "far}\n  back: {entity: order, kind: command, to: far, fallback: near}", "far has a fallback itself"),
        ("far}", "far}\n  more: {entity: order, kind: command, to: near, fallback: far}", "orders has a fallback for"),
    ],
)
def test_a_fallback_that_could_take_a_command_twice_or_nowhere_is_refused(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    with pytest.raises(Misconfigured) as caught:
        yard(tmp_path, FALLBACK.replace(old, new))
    assert told in str(caught.value)


def test_a_platform_has_to_declare_what_may_be_handed_over(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="wms does not declare commands about order reroutable"):
        yard(tmp_path, reroutable=False)
