"""The policies of a configuration, inline or in a file of their own: what they become, and how mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.kit.errors import Misconfigured
from schemas.entities import EntityType
from streams.core.policy import DeleteRule, FieldGroup, Ordering, OrderingMode, Policy, PolicyKind, Rules
from streams.runtime.config import load

TENANTS = """\
tenants:
  acme:
    accounts:
      shop: {platform: shopify, base_url: "http://s"}
      pim: {platform: shopify, base_url: "http://p"}
  bold:
    accounts:
      erp: {platform: shopify, base_url: "http://e"}
"""
GOOD = """\
revision: 3
product:
  kind: owner
  owners: [pim, shop]
  deletes: unanimous
  partial: true
  groups:
    texts: {fields: [title, description_html], kind: owner, owners: pim}
    labels: {fields: [tags], kind: lww}
price: {kind: lww, deletes: any}
ordering:
  default: {lateness: 4}
  inventory_level: {mode: time, lateness: 2, accounts: {erp: 30}}
"""
INLINE = "policies:\n" + "".join(f"  {line}\n" for line in GOOD.split("ordering")[0].splitlines())
PRODUCT = Policy(
    PolicyKind.OWNER,
    ("pim", "shop"),
    DeleteRule.UNANIMOUS,
    (
        FieldGroup("texts", ("title", "description_html"), PolicyKind.OWNER, ("pim",)),
        FieldGroup("labels", ("tags",), PolicyKind.LWW),
    ),
    partial=True,
)


def read(folder: Path, policies: str | None = GOOD, config: str = TENANTS, name: str = "policies.yaml") -> Rules:
    (folder / "sluice.yaml").write_text(config)
    if policies is not None:
        (folder / name).write_text(policies)
    named = folder / name if name != "policies.yaml" else None
    return load(folder / "sluice.yaml", {"shopify"}, policies=named).rules


def problems(folder: Path, policies: str | None, config: str = TENANTS) -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        read(folder, policies, config)
    return str(caught.value).splitlines()


def test_a_file_beside_the_configuration_is_read(tmp_path: Path) -> None:
    rules = read(tmp_path)
    assert rules.revision == 3
    assert rules.policy(EntityType.PRODUCT) == PRODUCT
    assert rules.policy(EntityType.PRICE) == Policy(PolicyKind.LWW, deletes=DeleteRule.ANY)
    assert rules.policy(EntityType.ORDER) == Policy(PolicyKind.LWW)


def test_lateness_is_that_of_the_type_and_of_single_accounts(tmp_path: Path) -> None:
    rules = read(tmp_path)
    level = rules.order(EntityType.INVENTORY_LEVEL)
    assert level == Ordering(OrderingMode.TIME, 2.0, {"erp": 30.0})
    assert (level.of("erp").lateness, level.of("shop").lateness) == (30.0, 2.0)
    assert rules.order(EntityType.ORDER) == Ordering(OrderingMode.TIME, 4.0)


def test_accounts_of_the_default_ordering_are_those_of_types_that_name_none(tmp_path: Path) -> None:
    text = (
        "revision: 1\nordering: {default: {accounts: {erp: 9}}, price: {lateness: 1}, order: {accounts: {shop: 8}}}\n"
    )
    rules = read(tmp_path, text)
    assert rules.order(EntityType.PRICE) == Ordering(OrderingMode.TIME, 1.0, {"erp": 9.0})
    assert rules.order(EntityType.ORDER) == Ordering(OrderingMode.TIME, 2.0, {"shop": 8.0})
    assert rules.order(EntityType.PRODUCT).accounts == {"erp": 9.0}


def test_a_file_that_is_named_is_read_instead(tmp_path: Path) -> None:
    (tmp_path / "policies.yaml").write_text("revision: 1\n")
    assert read(tmp_path, name="others.yaml").revision == 3


def test_the_same_keys_may_stand_inline(tmp_path: Path) -> None:
    rules = read(tmp_path, None, TENANTS + INLINE)
    assert (rules.revision, rules.policy(EntityType.PRODUCT)) == (3, PRODUCT)


def test_ordering_may_stay_in_the_configuration_file(tmp_path: Path) -> None:
    rules = read(tmp_path, GOOD.split("ordering")[0], TENANTS + "ordering: {default: {mode: arrival}}\n")
    assert rules.order(EntityType.PRICE).mode is OrderingMode.ARRIVAL
    assert rules.revision == 3


def test_policies_in_both_files_are_refused_and_it_is_said_which_to_remove(tmp_path: Path) -> None:
    (told,) = problems(tmp_path, GOOD.split("ordering")[0], TENANTS + INLINE)
    assert told.startswith("sluice.yaml:10: policies: stands in ")
    assert "policies.yaml too; remove this part, or that file" in told
    assert "SLUICE_POLICIES_FILE" in told


def test_ordering_in_both_files_is_refused_too(tmp_path: Path) -> None:
    (told,) = problems(tmp_path, GOOD, TENANTS + "ordering: {default: {mode: arrival}}\n")
    assert told.startswith("sluice.yaml:9: ordering: stands in ")


def test_another_file_can_be_tried_beside_inline_policies(tmp_path: Path) -> None:
    (tmp_path / "sluice.yaml").write_text(TENANTS + INLINE + "ordering: {default: {mode: arrival}}\n")
    (tmp_path / "new.yaml").write_text(GOOD.replace("revision: 3", "revision: 4"))
    rules = load(tmp_path / "sluice.yaml", {"shopify"}, policies=tmp_path / "new.yaml", inline=False).rules
    assert (rules.revision, rules.order(EntityType.ORDER)) == (4, Ordering(OrderingMode.TIME, 4.0))


def test_a_named_file_that_is_not_there_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "sluice.yaml").write_text(TENANTS)
    with pytest.raises(Misconfigured, match=r"none\.yaml cannot be read.*SLUICE_POLICIES_FILE"):
        load(tmp_path / "sluice.yaml", {"shopify"}, policies=tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("revision: 3\n", "", "policies.yaml:1: file: revision is missing"),
        ("revision: 3", "revision: 0", "policies.yaml:1: revision: must be a whole number of at least 1"),
        ("revision: 3", "revision: true", "policies.yaml:1: revision: must be a whole number of at least 1"),
        ("product:", "products:", "policies.yaml:3: products: unknown key, did you mean product?; allowed: "),
        ("  kind: owner\n", "", "policies.yaml:3: product: kind is missing"),
        ("kind: lww, deletes: any", "kind: latest", "price.kind: 'latest' is not known; allowed: single, owner, lww"),
        ("kind: lww, deletes: any", "kind: owner", "policies.yaml:10: price: kind owner needs owners: account ids"),
        ("kind: lww, deletes: any", "kind: lww, owners: [pim]", "price.owners: kind lww has no owners; remove them"),
        ("kind: lww, deletes: any", "kind: single, owners: [pim]", "price.owners: kind single has no owners"),
        ("kind: lww, deletes: any", "kind: owner, owners: []", "price.owners: must name an account"),
        ("owners: [pim, shop]", "owners: [pim, pom]",
         "policies.yaml:4: product.owners[1]: 'pom' is not an account of any tenant; allowed: erp, pim, shop"),
        ("owners: [pim, shop]", "owners: [pim, pim]", "policies.yaml:4: product.owners: names an account twice"),
        ("deletes: unanimous", "deletes: most",
         "policies.yaml:5: product.deletes: 'most' is not known; allowed: winner, unanimous, any"),
        ("partial: true", "partial: maybe", "policies.yaml:6: product.partial: must be true or false"),
        ("partial: true", "partials: true",
         "policies.yaml:6: product.partials: unknown key, did you mean partial?; allowed: deletes, groups, kind"),
        ("fields: [title, description_html]", "fields: [titel]",
         "policies.yaml:8: product.groups.texts.fields[0]: 'titel' is not a field of product; allowed: "),
        ("fields: [title, description_html]", "fields: [meta]",
         "product.groups.texts.fields[0]: 'meta' is not a field of product; allowed: "),
        ("fields: [title, description_html]", "fields: []", "product.groups.texts.fields: must name a field"),
        ("fields: [title, description_html], ", "", "policies.yaml:8: product.groups.texts: fields is missing"),
        ("fields: [tags]", "fields: [tags, title]",
         "policies.yaml:9: product.groups.labels.fields[1]: title is in group texts already; a field belongs to one"),
        ("fields: [tags]", "fields: [tags, tags]",
         "product.groups.labels.fields[1]: tags is in group labels already; a field belongs to one group, once"),
        ("fields: [tags], kind: lww", "fields: [tags]", "policies.yaml:9: product.groups.labels: kind is missing"),
        ("fields: [tags], kind: lww", "fields: [tags], kind: owner", "product.groups.labels: kind owner needs owners"),
        ("kind: owner, owners: pim", "kind: owner, owners: pom", "groups.texts.owners: 'pom' is not an account"),
        ("kind: owner, owners: pim", "kind: lww, owners: pim", "product.groups.texts.owners: kind lww has no owners"),
        ("    labels:", "    la bels:", "name 'la bels' is not allowed; allowed: up to 63 letters"),
        ("    labels: {", "    labels: {deletes: any, ",
         "product.groups.labels.deletes: unknown key; allowed: fields, kind, owners"),
        (GOOD[GOOD.index("  groups:"):GOOD.index("price:")], "  groups: {}\n",
         "policies.yaml:7: product.groups: must name a field group, or be left out; allowed: NAME: {fields: "),
        ("accounts: {erp: 30}", "accounts: {erb: 30}",
         "policies.yaml:13: ordering.inventory_level.accounts.erb: unknown key, did you mean erp?; allowed: erp, pim"),
        ("accounts: {erp: 30}", "accounts: {erp: -1}",
         "ordering.inventory_level.accounts.erp: must be a number of at least 0"),
        ("accounts: {erp: 30}", "accounts: [erp]", "inventory_level.accounts: must be a mapping; allowed: erp"),
        ("mode: time", "mode: sometimes", "'sometimes' is not known; allowed: time, contiguous, arrival, none"),
        ("lateness: 4", "lateness: soon", "policies.yaml:12: ordering.default.lateness: must be a number of"),
        ("  inventory_level:", "  inventory_levels:",
         "ordering.inventory_levels: unknown key, did you mean inventory_level?"),
        (GOOD, "- product", "policies.yaml:1: file: must be a mapping"),
        (GOOD, "a: [1", "policies.yaml:1: not YAML"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_line_path_and_what_is_allowed(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in GOOD
    found = problems(tmp_path, GOOD.replace(old, new, 1))
    assert any(told in line for line in found), found


def test_a_mistake_inline_is_told_with_its_path_there(tmp_path: Path) -> None:
    (told,) = problems(tmp_path, None, TENANTS + INLINE.replace("unanimous", "most"))
    assert told.startswith("sluice.yaml:14: policies.product.deletes: 'most' is not known")


def test_the_mistakes_of_both_files_are_told_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD.replace("unanimous", "most"), TENANTS + "max_future_skew: soon\n")
    assert [line.split(":")[0] for line in found] == ["sluice.yaml", "policies.yaml"]
