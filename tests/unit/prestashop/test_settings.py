"""What an account of this platform can set."""

from __future__ import annotations

import re

import pytest

from connectors.kit.contract import Account
from connectors.kit.errors import Misconfigured
from connectors.prestashop import settings
from tests.unit.prestashop.support import account


def test_currency_and_zone_are_enough() -> None:
    found = settings.of(account())
    assert (found.price_tax, found.location, found.page_size) == ("EXCLUDED", "MAIN", 100)
    assert (found.poll_interval, found.scan_interval, found.overlap) == (30, 300, 120)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("currency", "euro"),
        ("timezone", "Mars/Olympus"),
        ("timezone", "../../etc/passwd"),
        ("timezone", ""),
        ("price_tax", "NET"),
        ("location", " "),
        ("language", "en"),
        ("weight_unit", "stone"),
        ("page_size", "0"),
        ("page_size", "many"),
        ("rate", "0"),
        ("rate", "nan"),
        ("burst", "0.5"),
        ("overlap", "0"),
        ("currencies", "1:EUR"),
        ("currencies", "1=EUR,1=USD"),
        ("order_states", "15=PAID"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(name: str, value: str) -> None:
    with pytest.raises(Misconfigured, match=f"shop-2.*{name}"):
        settings.of(account(**{name: value}))
    with pytest.raises(Misconfigured, match=f"shop-2.*{name}"):
        settings.check(account(**{name: value}))


def test_every_setting_that_is_described_is_accepted() -> None:
    described = re.findall(r"^([a-z_, ]+?)  +", settings.__doc__ or "", re.MULTILINE)
    names = [name for names in described for name in names.split(", ")]
    given = dict.fromkeys(names, "")
    assert {"timezone", "burst", "max_in_flight"} <= set(names)
    with pytest.raises(Misconfigured) as refused:
        settings.check(account(**given))
    assert "unknown setting" not in str(refused.value)


def test_a_setting_that_nobody_reads_is_refused_with_those_there_are() -> None:
    with pytest.raises(Misconfigured, match=r"shop-2.*unknown setting time_zone.*timezone"):
        settings.check(account(time_zone="Europe/Paris"))


def test_a_shop_without_zone_is_refused_because_its_times_would_be_guessed() -> None:
    with pytest.raises(Misconfigured, match="timezone"):
        settings.of(Account("t1", "shop-2", "prestashop", "https://x", {"currency": "EUR"}))
