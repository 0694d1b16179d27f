"""Secrets by reference and lists in account settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.kit.contract import Account
from connectors.kit.errors import Misconfigured
from connectors.kit.settings import pairs, required, resolve


def account(**settings: str) -> Account:
    return Account("acme", "shop-de", "shopify", "http://shop", settings=settings)


def test_a_secret_is_read_from_the_environment_a_file_or_the_text(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from file\n")
    assert resolve("env:TOKEN", {"TOKEN": "from env"}) == "from env"
    assert resolve(f"file:{tmp_path / 'token'}", {}) == "from file"
    assert resolve("value:as:it:is", {}) == "as:it:is"


def test_blanks_of_a_secret_are_its_own_but_the_last_line_break_is_the_editors(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b" secret \r\n")
    assert resolve(f"file:{tmp_path / 'token'}", {}) == " secret "


@pytest.mark.parametrize(
    ("reference", "told"),
    [("env:TOKEN", "environment variable TOKEN is not set"), ("file:/nowhere/token", "file /nowhere/token cannot be")],
)
def test_a_missing_secret_is_named(reference: str, told: str) -> None:
    with pytest.raises(Misconfigured, match=told):
        resolve(reference, {})


@pytest.mark.parametrize("reference", ["shpss_0123", "vault:shop", "env:", ""])
def test_a_secret_in_place_of_a_reference_is_refused_and_not_repeated(reference: str) -> None:
    with pytest.raises(Misconfigured, match="allowed: env:NAME") as caught:
        resolve(reference, {})
    assert "shpss_0123" not in str(caught.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    with pytest.raises(Misconfigured, match="not UTF-8"):
        resolve(f"file:{tmp_path / 'token'}", {})


def test_a_list_setting_becomes_pairs() -> None:
    assert pairs(account(locations=" 655441491=MAIN, 24826418 = SHOP ,"), "locations") == {
        "655441491": "MAIN",
        "24826418": "SHOP",
    }
    assert pairs(account(), "locations") == {}


@pytest.mark.parametrize("text", ["655441491", "=MAIN", "1=A,1=B", "1="])
def test_a_malformed_list_setting_names_account_setting_and_part(text: str) -> None:
    with pytest.raises(Misconfigured, match="acme/shop-de: setting locations has"):
        pairs(account(locations=text), "locations")


def test_a_missing_setting_is_named() -> None:
    assert required(account(currency="EUR"), "currency") == "EUR"
    with pytest.raises(Misconfigured, match=r"acme/shop-de \(shopify\): setting currency is missing"):
        required(account(), "currency")
