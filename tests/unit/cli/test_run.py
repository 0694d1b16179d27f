"""What a role is started with: no secret it does not need, no settings that it would stumble over later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from connectors import catalog
from connectors.kit.contract import Account
from streams.cli.main import main

FILE = """\
tenants:
  acme:
    accounts:
      shop:
        platform: shopify
        base_url: http://h
        settings: {currency: EUR, shop_domain: h}
        secrets: {webhook: "env:SHOPIFY", access_token: "env:SHOPIFY"}
      erp:
        platform: prestashop
        base_url: http://p
        settings: {currency: EUR, timezone: Europe/Paris}
        secrets: {webservice_key: "env:PRESTASHOP"}
"""
WORK = {
    "receiver": "streams.receiver.role.start",
    "mapper": "streams.mapper.role.run",
    "resolver": "streams.resolver.role.run",
    "courier": "streams.courier.role.run",
}
ARGUMENTS = {
    "receiver": ["receiver"],
    "mapper": ["mapper"],
    "resolver": ["resolver"],
    "courier-shopify": ["courier", "--platform", "shopify"],
    "courier-prestashop": ["courier", "--platform", "prestashop"],
}


class Roles:
    """Stands for the work of every role and remembers which accounts it was given."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.accounts: dict[str, Account] = {}

    def work(self, settings: Any, config: Any, *_: Any) -> None:
        self.accounts = {account.id: account for account in config.accounts.values()}

    def run(self, name: str, text: str = FILE) -> Result:
        self.file.write_text(text)
        return CliRunner().invoke(main, ["run", *ARGUMENTS[name]])

    def held(self) -> set[str]:
        """Every secret that the started role got to know."""
        texts = [one.secrets.values() for one in self.accounts.values()]
        return {text for values in texts for value in values for text in value} - {""}


@pytest.fixture
def roles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Roles:
    found = Roles(tmp_path / "sluice.yaml")
    monkeypatch.setenv("SLUICE_CONFIG_FILE", str(found.file))
    monkeypatch.setattr("connectors.kit.log.configure", lambda *_, **__: None)
    for target in WORK.values():
        monkeypatch.setattr(target, found.work)
    return found


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("receiver", {"SHOPIFY": "s3"}),
        ("mapper", {}),
        ("resolver", {}),
        ("courier-shopify", {"SHOPIFY": "s3"}),
        ("courier-prestashop", {"PRESTASHOP": "p7"}),
    ],
)
def test_a_role_reads_the_secrets_it_needs_and_starts_without_all_others(
    roles: Roles, monkeypatch: pytest.MonkeyPatch, name: str, needed: dict[str, str]
) -> None:
    for variable, value in needed.items():
        monkeypatch.setenv(variable, value)
    assert roles.run(name).exit_code == 0
    assert set(roles.accounts) == {"shop", "erp"}, "rules name accounts of all platforms"
    assert roles.held() == set(needed.values())
    for variable in needed:
        monkeypatch.delenv(variable)
        refused = roles.run(name)
        assert (refused.exit_code, f"environment variable {variable} is not set" in refused.output) == (1, True)


@pytest.mark.parametrize(
    ("name", "looks_into"),
    [
        ("receiver", {"shopify"}),
        ("mapper", {"shopify", "prestashop"}),
        ("resolver", set()),
        ("courier-shopify", {"shopify"}),
        ("courier-prestashop", {"prestashop"}),
    ],
)
def test_a_role_refuses_wrong_settings_of_its_own_platforms_before_it_works(
    roles: Roles, monkeypatch: pytest.MonkeyPatch, name: str, looks_into: set[str]
) -> None:
    for variable in ("SHOPIFY", "PRESTASHOP"):
        monkeypatch.setenv(variable, "x")
    wrong = {
        "shopify": FILE.replace("shop_domain: h", "shop_domain: h, locations: BER"),
        "prestashop": FILE.replace("Europe/Paris", "Mars/Olympus"),
    }
    for platform, text in wrong.items():
        result = roles.run(name, text)
        assert result.exit_code == (1 if platform in looks_into else 0), result.output
        assert ("BER" in result.output or "Mars/Olympus" in result.output) == (platform in looks_into)
        assert bool(roles.accounts) == (platform not in looks_into)
        roles.accounts = {}


def test_every_role_refuses_a_flow_that_no_platform_can_carry_out(
    roles: Roles, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("SHOPIFY", "PRESTASHOP"):
        monkeypatch.setenv(variable, "x")
    for name in ARGUMENTS:
        result = roles.run(name, FILE + "flows: {f: {entity: order, to: shop, fields: [lines]}}\n")
        assert (result.exit_code, "cannot hold order" in result.output) == (1, True), name


def test_every_platform_checks_its_accounts() -> None:
    assert all(platform.check is not None for platform in catalog.platforms().values())
