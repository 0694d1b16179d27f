"""`sluice flows` as a person uses it, as far as no broker is needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streams.cli.main import main

CONFIG = """\
tenants: {acme: {accounts: {
  shop: {platform: shopify, base_url: 'http://s', secrets: {webhook: 'env:NOBODY_SETS_THIS'}},
  presta: {platform: prestashop, base_url: 'http://p'},
  warehouse: {platform: threepl, base_url: 'http://w'},
}}}
"""
FLOWS = """\
revision: 3
flows:
  orders: {entity: order, kind: command, when: {financial_status: PAID}, to: warehouse, max_age: 3600}
  prices: {entity: price, to: [shop, presta], fields: [amount]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "sluice.yaml").write_text(CONFIG)
    (tmp_path / "flows.yaml").write_text(FLOWS)
    monkeypatch.setenv("SLUICE_CONFIG_FILE", str(tmp_path / "sluice.yaml"))
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["flows", *arguments])


def test_check_of_good_flows_says_what_is_in_them(folder: Path) -> None:
    result = run("check")
    assert (result.exit_code, result.output.strip()) == (0, "good: revision 3, 1 flows of sets, 1 of commands")


def test_check_tells_every_mistake_and_ends_with_2(folder: Path) -> None:
    (folder / "flows.yaml").write_text(FLOWS.replace("PAID", "PAYED").replace("warehouse", "presta"))
    result = run("check")
    assert result.exit_code == 2
    assert "flows.yaml:3: flows.orders.when.financial_status: 'PAYED' is not a value it can have" in result.output
    assert "flows.yaml:3: flows.orders.to: prestashop (presta) cannot hold order" in result.output


def test_another_file_can_be_checked_before_it_is_used(folder: Path) -> None:
    (folder / "new.yaml").write_text("flows: {}\n")
    result = run("check", "--file", str(folder / "new.yaml"))
    assert (result.exit_code, "new.yaml:1: file: revision is missing" in result.output) == (2, True)
    assert run("check").exit_code == 0


def test_a_file_that_the_setting_names_is_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "named.yaml").write_text("revision: 9\nflows: {}\n")
    monkeypatch.setenv("SLUICE_FLOWS_FILE", str(folder / "named.yaml"))
    assert "revision 9" in run("check").output
    monkeypatch.setenv("SLUICE_FLOWS_FILE", str(folder / "none.yaml"))
    result = run("check")
    assert (result.exit_code, "set SLUICE_FLOWS_FILE" in result.output) == (2, True)


def test_flows_of_the_configuration_file_are_without_a_revision(folder: Path) -> None:
    (folder / "flows.yaml").unlink()
    (folder / "sluice.yaml").write_text(CONFIG + "flows: {p: {entity: price, to: shop, fields: [amount]}}\n")
    assert run("check").output.strip() == "good: without a revision, 1 flows of sets, 0 of commands"
    (folder / "new.yaml").write_text(FLOWS)
    assert "revision 3" in run("check", "--file", str(folder / "new.yaml")).output


def test_the_configurations_own_check_looks_into_the_flows_too(folder: Path) -> None:
    (folder / "flows.yaml").write_text("revision: 0\nflows: {}\n")
    result = CliRunner().invoke(main, ["config", "check", "--without-secrets"])
    assert (result.exit_code, "flows.yaml:1: revision: must be" in result.output) == (1, True)


def test_show_tells_flows_with_their_defaults(folder: Path) -> None:
    told = json.loads(run("show", "--json").output)
    assert told["revision"] == 3
    orders, prices = told["flows"]["orders"], told["flows"]["prices"]
    assert (orders["kind"], orders["when"], orders["max_age"]) == ("command", "financial_status in PAID", 3600.0)
    assert "number" in orders["fields"]
    assert (prices["when"], prices["on_drift"], prices["deletes"]) == ("always", "repair", "ignore")
    assert "on_drift" not in orders
    assert (orders["fallback"], orders["hours"], prices["hours"]) == ("none", "all day", "all day")
    assert "fallback" not in prices


def test_show_and_check_know_the_fallback_of_a_command(folder: Path) -> None:
    (folder / "sluice.yaml").write_text(
        CONFIG.replace("}}}", "  spare: {platform: threepl, base_url: 'http://v'},\n}}}")
    )
    (folder / "flows.yaml").write_text(
        FLOWS.replace("to: warehouse", "to: warehouse, fallback: spare, hours: 6:00-20:00")
    )
    orders = json.loads(run("show", "orders", "--json").output)["flows"]["orders"]
    assert (orders["fallback"], orders["hours"]) == ("spare", "06:00-20:00")
    (folder / "flows.yaml").write_text(FLOWS.replace("to: warehouse", "to: warehouse, fallback: shop"))
    result = run("check")
    assert (result.exit_code, "both accounts must be of one platform" in result.output) == (2, True)
    (folder / "flows.yaml").write_text(FLOWS.replace("to: warehouse", "to: presta, fallback: presta"))
    assert "does not declare commands about order reroutable" in run("check").output


def test_show_of_one_flow_is_for_people(folder: Path) -> None:
    result = run("show", "prices")
    assert result.exit_code == 0
    assert result.output.startswith("revision 3\n\nprices\n")
    assert "to                presta, shop" in result.output
    assert "orders" not in result.output


def test_show_of_a_flow_that_is_none_names_those_there_are(folder: Path) -> None:
    result = run("show", "price")
    assert (result.exit_code, "there are: orders, prices" in result.output) == (2, True)
