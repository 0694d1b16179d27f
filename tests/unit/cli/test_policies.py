"""`sluice policies` as a person uses it, as far as no broker is needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streams.cli.main import main

CONFIG = """\
tenants: {acme: {accounts: {
  shop: {platform: shopify, base_url: 'http://s', secrets: {webhook: 'env:NOBODY_SETS_THIS'}},
  pim: {platform: shopify, base_url: 'http://p'},
}}}
"""
POLICIES = """\
revision: 3
product:
  kind: lww
  partial: true
  groups: {texts: {fields: [title], kind: owner, owners: [pim]}}
price: {kind: owner, owners: [shop]}
ordering: {inventory_level: {lateness: 2, accounts: {pim: 30}}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "sluice.yaml").write_text(CONFIG)
    (tmp_path / "policies.yaml").write_text(POLICIES)
    monkeypatch.setenv("SLUICE_CONFIG_FILE", str(tmp_path / "sluice.yaml"))
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["policies", *arguments])


def test_check_of_good_policies_says_what_is_in_them(folder: Path) -> None:
    result = run("check")
    assert (result.exit_code, result.output.strip()) == (
        0,
        "good: revision 3, policies of 2 types, put together from parts: product",
    )


def test_check_tells_every_mistake_and_ends_with_2(folder: Path) -> None:
    (folder / "policies.yaml").write_text(POLICIES.replace("lww", "latest").replace("[title]", "[titel]"))
    result = run("check")
    assert result.exit_code == 2
    assert "policies.yaml:3: product.kind: 'latest' is not known" in result.output
    assert "policies.yaml:5: product.groups.texts.fields[0]: 'titel' is not a field of product" in result.output


def test_another_file_can_be_checked_before_it_is_used(folder: Path) -> None:
    (folder / "new.yaml").write_text("price: {kind: lww}\n")
    result = run("check", "--file", str(folder / "new.yaml"))
    assert (result.exit_code, "new.yaml:1: file: revision is missing" in result.output) == (2, True)
    assert run("check").exit_code == 0


def test_a_file_that_the_setting_names_is_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "named.yaml").write_text("revision: 9\n")
    monkeypatch.setenv("SLUICE_POLICIES_FILE", str(folder / "named.yaml"))
    assert "revision 9" in run("check").output
    monkeypatch.setenv("SLUICE_POLICIES_FILE", str(folder / "none.yaml"))
    result = run("check")
    assert (result.exit_code, "set SLUICE_POLICIES_FILE" in result.output) == (2, True)


def test_the_configurations_own_check_looks_into_the_policies_too(folder: Path) -> None:
    (folder / "policies.yaml").write_text("revision: 0\n")
    result = CliRunner().invoke(main, ["config", "check", "--without-secrets"])
    assert (result.exit_code, "policies.yaml:1: revision: must be" in result.output) == (1, True)


def test_show_tells_what_applies_to_each_type_with_defaults(folder: Path) -> None:
    told = json.loads(run("show", "--json").output)
    assert told["revision"] == 3
    assert told["types"]["product"]["groups"] == {"texts": {"fields": ["title"], "kind": "owner", "owners": ["pim"]}}
    order = told["types"]["order"]
    assert (order["kind"], order["owners"], order["deletes"], order["partial"]) == ("lww", [], "winner", False)
    assert order["said"] == "nothing, so the default applies"
    assert told["types"]["inventory_level"]["ordering"] == {
        "mode": "time", "lateness": 2.0, "accounts": {"pim": 30.0},
    }  # fmt: skip


def test_show_of_one_type_is_for_people(folder: Path) -> None:
    result = run("show", "price")
    assert result.exit_code == 0
    assert result.output.startswith("revision 3\n\nprice\n")
    assert "owners            shop" in result.output
    assert "product" not in result.output


def test_show_of_a_type_that_is_none_names_the_types(folder: Path) -> None:
    result = run("show", "prices")
    assert (result.exit_code, "inventory_level" in result.output) == (2, True)
