"""A wrong setting is named with what is allowed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from connectors.kit.contract import Account
from connectors.kit.errors import Misconfigured
from connectors.shopify import settings
from tests.unit.shopify.support import account


def test_locations_are_read_both_ways() -> None:
    known = settings.locations(account())
    assert known.code_of == {"655441491": "BER", "655441492": "MUC"}
    assert known.id_of == {"BER": "655441491", "MUC": "655441492"}
    assert known.ignored == {"888"}


def test_an_account_without_locations_has_none() -> None:
    assert not settings.locations(account(locations="")).id_of
    assert settings.locations(account(locations="")).selling == ""


def test_orders_hold_stock_at_the_location_that_is_listed_first() -> None:
    assert settings.locations(account()).selling == "BER"
    assert settings.locations(account(locations="655441492=MUC, 655441491=BER")).selling == "MUC"


@pytest.mark.parametrize(
    ("read", "name", "value"),
    [
        (settings.locations, "locations", "1=BER, 2=BER"),
        (settings.locations, "locations", "1"),
        (settings.locations, "locations", "BER=1"),
        (settings.currency, "currency", "Euro"),
        (settings.tax_basis, "taxes_included", "yes"),
        (settings.api_version, "api_version", "latest"),
        (lambda one: settings.seconds(one, "poll_interval", 60.0), "poll_interval", "0"),
        (lambda one: settings.seconds(one, "poll_interval", 60.0), "poll_interval", "soon"),
    ],
)
def test_a_wrong_value_is_named_with_its_setting(read: Callable[[Account], object], name: str, value: str) -> None:
    with pytest.raises(Misconfigured, match=name):
        read(account(**{name: value}))


def test_an_unset_tax_basis_is_unknown_and_not_a_guess() -> None:
    assert settings.tax_basis(account(taxes_included="")) == "UNKNOWN"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_version", "latest"),
        ("currency", ""),
        ("taxes_included", "yes"),
        ("locations", "1"),
        ("poll_interval", "soon"),
        ("poll_longest", "30"),
        ("poll_overlap", "-1"),
        ("poll_orders", "no"),
        ("scan_interval", "0"),
        ("client_id", "without-its-secret"),
        ("webhook_address", "http://in.example/"),
        ("bucket", "0"),
        ("restore_rate", "many"),
        ("shop_domain", ""),
        ("location", "655441491=BER"),
    ],
)
def test_a_check_finds_whatever_setting_is_wrong(name: str, value: str) -> None:
    settings.check(account())
    with pytest.raises(Misconfigured, match=f"shop-1.*{name}"):
        settings.check(account(**{name: value}))


def test_a_shop_without_webhooks_needs_no_domain() -> None:
    settings.check(replace(account(shop_domain=""), secrets={"access_token": ["shpat_1"]}))


def test_a_client_id_needs_its_secret_and_no_token() -> None:
    app = replace(account(client_id="c"), secrets={"webhook": ["w"], "client_secret": ["s"]})
    settings.check(app)


def test_subscriptions_are_kept_only_by_versions_that_know_any_address() -> None:
    address = "https://in.example/webhooks/shopify/t1/shop-1"
    settings.check(account(webhook_address=address))
    with pytest.raises(Misconfigured, match="2025-10"):
        settings.check(account(webhook_address=address, api_version="2025-07"))
