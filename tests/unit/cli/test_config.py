"""`sluice config` as a person uses it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streams.cli.main import main

FILE = """\
tenants: {acme: {accounts: {
  shop-de: {platform: shopify, base_url: 'http://h', secrets: {webhook: 'env:S'},
            settings: {currency: EUR, shop_domain: h}}
}}}
"""


def test_show_prints_every_setting_with_its_source_and_masks_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_BROKER_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("SLUICE_BROKER_USERNAME", "sluice")
    monkeypatch.setenv("SLUICE_BROKER_PASSWORD", "hunter2")
    table = CliRunner().invoke(main, ["config", "show"])
    rows = json.loads(CliRunner().invoke(main, ["config", "show", "--json"]).output)
    assert "SLUICE_SESSION_TIMEOUT_MS" in table.output
    assert "hunter2" not in table.output + str(rows)
    password = next(row for row in rows if row["name"] == "broker_password")
    assert (password["source"], password["secret"], password["value"]) == ("env", True, "********")


def test_check_of_a_good_file_says_what_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "sluice.yaml"
    file.write_text(FILE)
    monkeypatch.setenv("S", "hush")
    result = CliRunner().invoke(main, ["config", "check", "--file", str(file)])
    assert (result.exit_code, result.output.strip()) == (
        0,
        "good: 1 tenants, 1 accounts, 0 flows, policies of revision 1",
    )


def test_check_says_where_and_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "sluice.yaml"
    file.write_text(FILE)
    monkeypatch.setenv("SLUICE_CONFIG_FILE", str(file))
    monkeypatch.setenv("SLUICE_BOOTSTRP", "a:1")
    result = CliRunner().invoke(main, ["config", "check"])
    assert result.exit_code == 1
    assert "sluice.yaml:2: tenants.acme.accounts.shop-de.secrets.webhook: environment variable S" in result.output
    assert "did you mean SLUICE_BOOTSTRAP?" in result.output
    assert CliRunner().invoke(main, ["config", "check", "--without-secrets"]).exit_code == 0


def checked(tmp_path: Path, text: str) -> Result:
    file = tmp_path / "sluice.yaml"
    file.write_text(text)
    return CliRunner().invoke(main, ["config", "check", "--without-secrets", "--file", str(file)])


def test_check_refuses_a_flow_to_a_platform_that_cannot_hold_the_type(tmp_path: Path) -> None:
    result = checked(tmp_path, FILE + "flows: {names: {entity: product, to: shop-de, fields: [title]}}\n")
    assert result.exit_code == 1
    assert "sluice.yaml:5: flows.names.to: shopify (shop-de) cannot hold product; allowed: " in result.output


def test_check_reads_the_settings_of_every_account(tmp_path: Path) -> None:
    result = checked(tmp_path, FILE.replace("currency: EUR", "currency: EUR, locations: '1=A, 2=A'"))
    assert result.exit_code == 1
    assert "sluice.yaml:3: tenants.acme.accounts.shop-de.settings: " in result.output
    assert "'locations' is '1=A, 2=A' (allowed: id=code pairs" in result.output


def test_a_wrong_setting_is_a_sentence_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_LOG_LEVEL", "loud")
    result = CliRunner().invoke(main, ["config", "show"])
    assert result.exit_code == 1
    assert result.output.startswith("Error: SLUICE_LOG_LEVEL=loud: ")


def test_docs_are_checked_and_written(tmp_path: Path) -> None:
    stale = CliRunner().invoke(main, ["config", "docs", "--check", "--dir", str(tmp_path)])
    assert stale.exit_code == 1
    assert "run `sluice config docs`" in stale.output
    assert CliRunner().invoke(main, ["config", "docs", "--dir", str(tmp_path)]).exit_code == 0
    assert CliRunner().invoke(main, ["config", "docs", "--check", "--dir", str(tmp_path)]).exit_code == 0
